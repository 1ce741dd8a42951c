"""What a tenant can put into an object that a decoder, a copy or a comparison would not survive.

One table for the tests of each place where objects are read, and for the attacks on a real cluster.
"""

DEPTHS = (100, 300, 500, 1_000, 3_000, 9_000, 9_990)
"""The API server takes 10,000 levels; the decoders, copies and encoders of Python end at various ones."""


def lists(depth: int) -> str:
    """Lists in lists, so deep."""
    return "[" * depth + "1" + "]" * depth


def fields(depth: int) -> str:
    """Objects in objects, so deep; a valid `fieldsV1` of `metadata.managedFields`."""
    return '{"f:a":' * depth + "{}" + "}" * depth


DEEP = {
    **{f"lists {depth} deep": lists(depth) for depth in DEPTHS},
    **{f"objects {depth} deep": fields(depth) for depth in DEPTHS},
    "deep in a wide list": "[" + ",".join([lists(90)] * 50) + "]",
    "brackets in strings on the way": '{"]}":' * 2_000 + r'"\"]}\\"' + "}" * 2_000,
}
"""All are cut off."""

NOT_JSON = {
    "a lone surrogate": r'"\ud800"',
    "a number of 5,000 digits": "9" * 5_000,
    "half a surrogate pair in a key": r'{"\udfff": 1}',
    "a control character": '"\x01"',
}
"""What the API server does not send; another one, or a proxy, might."""

ODD = {
    "null": "null",
    "a number beyond int64": "1" + "0" * 400,
    "beyond every float": "1e400",
    "a list": "[]",
    "a string": '"x"',
    "true": "true",
    "nothing": "{}",
    "an astral character": r'"\ud83d\ude00"',
}
"""JSON of another type than a field has."""
