from __future__ import annotations

import ast

import pytest

from tools import check_house

FUTURE = "from __future__ import annotations\n"


def breaches(name: str, text: str) -> list[str]:
    return list(check_house.check_file(name, text))


def test_a_clean_file_has_no_breach():
    assert breaches("src/garrison/policy/x.py", f'"""Doc."""\n\n{FUTURE}\nX = 1\n') == []


def test_600_lines_pass_and_601_do_not():
    assert breaches("src/garrison/policy/x.py", FUTURE + "X = 1\n" * 599) == []
    assert "601 lines" in breaches("src/garrison/policy/x.py", FUTURE + "X = 1\n" * 600)[0]


def test_generated_code_is_not_measured():
    assert breaches("src/garrison/api/iam.py", "X = 1\n" * 5000) == []


def test_the_future_import_comes_first():
    assert "must come first" in breaches("src/garrison/policy/x.py", "import json\n" + FUTURE)[0]


@pytest.mark.parametrize(
    ("line", "clean"),
    [
        ("x = 1  # no" + "qa: S101", False),
        ("x = 1  # no" + "qa", False),
        ("x = 1  # no" + "qa: S101, D100 - the reason", True),
        ("x = 1  # type: ign" + "ore[attr-defined]", False),
        ("x = 1  # type: ign" + "ore[attr-defined]  # the reason", True),
        ("x = 1  # pragma: no" + " cover", False),
        ("x = 1  # pragma: no" + " cover - only on Windows", True),
    ],
)
def test_a_suppression_carries_its_reason(line: str, clean: bool):
    assert (not breaches("src/garrison/policy/x.py", FUTURE + line + "\n")) is clean


@pytest.mark.parametrize(
    "statement",
    [
        "from cryptography.hazmat.primitives.ciphers.aead import AESGCM",
        "from cryptography.hazmat.primitives import ciphers",
        "import cryptography.hazmat.primitives.ciphers.modes",
        "from cryptography.hazmat.primitives.asymmetric import ec\nk = ec.generate_private_key(ec.SECP256R1())",
        "from cryptography.hazmat.primitives.asymmetric import rsa\n\ndef f(k: rsa.RSAPrivateKey) -> None: ...",
        "from cryptography.hazmat.primitives.serialization import load_pem_private_key\nload_pem_private_key(b'', None)",
    ],
)
def test_ciphers_and_private_keys_stay_in_the_keys_room(statement: str):
    assert "only `keys`" in breaches("src/garrison/wire/x.py", f"{FUTURE}{statement}\n")[0]
    assert breaches("src/garrison/keys/kms/x.py", f"{FUTURE}{statement}\n") == []


def test_public_keys_may_be_used_elsewhere():
    statement = "from cryptography.hazmat.primitives.asymmetric import ec\nk = ec.EllipticCurvePublicKey"
    assert breaches("src/garrison/wire/x.py", f"{FUTURE}{statement}\n") == []


def test_neighbours_do_not_import_each_other():
    text = f"{FUTURE}from garrison.identity.sts import tokens\n"
    assert "must not import its neighbour `identity.sts`" in breaches("src/garrison/identity/iam/users.py", text)[0]
    assert breaches("src/garrison/identity/sts/assume.py", text) == []


@pytest.mark.parametrize(
    "text", ["see /wo" + "rk/main", "/tm" + "p/x", "as iss" + "ue 12 says", "iss" + "ue #7", "a workp" + "lace"]
)
def test_no_machine_path_and_no_workplace(text: str):
    assert "names a machine path" in breaches("docs/x.md", text)[0]


@pytest.mark.parametrize("text", ["src/work/x", "{tmp}/x", "a known issue", "arn:aws:iam::1:user/tmp/x"])
def test_words_that_are_no_breach(text: str):
    assert breaches("docs/x.md", text) == []


def test_from_import_names_its_parts():
    tree = ast.parse("from a.b import c, d\nimport e.f\n")
    assert list(check_house.imported(tree)) == [(1, "a.b.c"), (1, "a.b.d"), (2, "e.f")]


@pytest.mark.parametrize(("gap", "clean"), [(0, True), (4, True), (5, False)])
def test_one_reason_covers_the_next_lines(gap: int, clean: bool):
    first, again = "a = 1  # no" + "qa: S101 - the reason\n", "b = 1  # no" + "qa: S101\n"
    assert (not breaches("src/garrison/policy/x.py", FUTURE + first + "c = 1\n" * gap + again)) is clean
    assert breaches("src/garrison/policy/x.py", FUTURE + first + again.replace("S101", "S102")) != []
