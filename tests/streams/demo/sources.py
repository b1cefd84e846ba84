"""Small sources for the demo: an encoder with random weights, a tokenizer, reviews that words decide."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from headrace.streams.demo.download import Package
from tests.tiny_model import vocabulary, write_tokenizer

WIDTH = 8
LAYERS = 2
WORDS = {"good": "1.5", "bad": "-1.5"}


def encoder(*, output: str = "last_hidden_state", opset: int = 17, seed: int = 0) -> bytes:
    """Return a graph built like BERT: embeddings, then attention and feed-forward layers, each normalised."""
    from onnx import helper, parser

    inputs = ", ".join(f"int64[batch, tokens] {name}" for name in ("input_ids", "attention_mask", "token_type_ids"))
    body = "\n".join(_layer(at, output if at == LAYERS - 1 else f"state{at}") for at in range(LAYERS))
    model = parser.parse_model(f"""
        <ir_version: 8, opset_import: ["": {opset}]>
        tiny ({inputs}) => (float[batch, tokens, {WIDTH}] {output}) {{
            words = Gather(table, input_ids)
            kinds = Gather(types, token_type_ids)
            embedding = Add(words, kinds)
            state = LayerNormalization(embedding, scale, shift)
            mask = Cast<to: int = 1>(attention_mask)
            absent = Sub(one, mask)
            penalty = Mul(absent, far)
            penalties = Unsqueeze(penalty, axis1)
            {body}
        }}""")
    rng = np.random.default_rng(seed)
    weights: dict[str, Any] = {
        "table": rng.normal(size=(len(vocabulary()), WIDTH)),
        "types": rng.normal(size=(2, WIDTH)),
        "scale": np.ones(WIDTH),
        "shift": np.zeros(WIDTH),
        "one": 1.0,
        "far": -1e9,
        **{f"weights{at}": rng.normal(size=(WIDTH, WIDTH)) for at in range(LAYERS)},
    }
    for name, value in weights.items():
        flat = np.asarray(value, np.float32)
        model.graph.initializer.append(helper.make_tensor(name, 1, flat.shape, flat.ravel()))
    model.graph.initializer.append(helper.make_tensor("axis1", 7, [1], [1]))
    content: bytes = model.SerializeToString()
    return content


def _layer(at: int, output: str) -> str:
    before = f"state{at - 1}" if at else "state"
    return f"""
        turned{at} = Transpose<perm: ints = [0, 2, 1]>({before})
        likeness{at} = MatMul({before}, turned{at})
        masked{at} = Add(likeness{at}, penalties)
        attention{at} = Softmax<axis: int = -1>(masked{at})
        mixed{at} = MatMul(attention{at}, {before})
        sum{at} = Add({before}, mixed{at})
        attended{at} = LayerNormalization(sum{at}, scale, shift)
        product{at} = MatMul(attended{at}, weights{at})
        forward{at} = Add(attended{at}, product{at})
        {output} = LayerNormalization(forward{at}, scale, shift)"""


def tokenizer(folder: Path) -> bytes:
    """Return a tokenizer.json that pads to 128 and truncates to 4, as nobody wants it."""
    from tokenizers import Tokenizer

    write_tokenizer(folder)
    spoilt = Tokenizer.from_file(str(folder / "tokenizer.json"))
    spoilt.enable_padding(length=128)
    spoilt.enable_truncation(4)
    text: str = spoilt.to_str()
    return text.encode()


def snippets(count: int = 120) -> bytes:
    """Return a file of ratings in which the word `good` or `bad` decides."""
    rng = np.random.default_rng(1)
    lines = []
    for at in range(count):
        word = ("good", "bad")[at % 2]
        others = " ".join(rng.choice(["the", "a", "film", "was"], size=rng.integers(1, 12)))
        lines.append(f"{at + 1}\t{WORDS[word]}\t{others} {word} {at}\r\n")
    return "".join(lines).encode()


def zipped(members: dict[str, bytes]) -> bytes:
    """Return a zip of the members; the same ones give the same bytes."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as bundle:
        for name, content in members.items():
            bundle.writestr(zipfile.ZipInfo(name), content)
    return stream.getvalue()


def tarred(members: dict[str, bytes], **links: str) -> bytes:
    """Return a tar.gz of the members; the same ones give the same bytes. A link is given as its target."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as bundle:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            bundle.addfile(info, io.BytesIO(content))
        for name, target in links.items():
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, target
            bundle.addfile(link)
    return gzip.compress(stream.getvalue(), mtime=0)


def package(name: str, file: str, content: bytes, **facts: Any) -> Package:
    """Return the pin of a file with this content."""
    return Package(name, "1.0", file, sha256(content).hexdigest(), len(content), **facts)
