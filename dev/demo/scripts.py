"""Python code that the demo's Pods run on the volume: one hashes, one opens the model."""

HASHES = """
import hashlib, json, os
root, found = "/volume/model", {}
for folder, _, names in os.walk(root):
    for name in names:
        path = os.path.join(folder, name)
        relative = os.path.relpath(path, root)
        if relative.startswith(".modelsync/"):
            continue
        blob = hashlib.sha1(b"blob %d\\0" % os.path.getsize(path), usedforsecurity=False)
        sha256 = hashlib.sha256()
        with open(path, "rb") as file:
            while block := file.read(1 << 20):
                blob.update(block)
                sha256.update(block)
        found[relative] = {"sha256": sha256.hexdigest(), "git-sha1": blob.hexdigest()}
print(json.dumps(found))
"""

OPEN = """
import glob
from safetensors import safe_open
from tokenizers import Tokenizer
count = tensors = 0
for path in sorted(glob.glob("/volume/model/**/*.safetensors", recursive=True)):
    with safe_open(path, framework="numpy") as file:
        for name in file.keys():
            size = 1
            for length in file.get_slice(name).get_shape():
                size *= length
            tensors, count = tensors + 1, count + size
print(f"tensors      {tensors} with {count:,} parameters")
tokenizer = Tokenizer.from_file("/volume/model/tokenizer.json")
tokenizer.no_padding()
tokens = tokenizer.encode("Models, in place.").tokens
print(f"tokenizer    'Models, in place.' -> {tokens}")
"""
