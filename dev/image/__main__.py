"""`python -m dev.image`: build the image, print where its archive is and how large it is."""

from dev.image import NAME, build
from dev.image.builder import archive_bytes

if __name__ == "__main__":
    archive = build()
    print(f"{NAME}: {archive_bytes(archive) / 1e6:.0f} MB compressed, {archive}")
