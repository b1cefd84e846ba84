"""The joined graph says what encoder, pooling and head say one after the other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from headrace.streams.demo.encoder import Encoder
from headrace.streams.demo.errors import GraphJoinError
from headrace.streams.demo.graph import add_head, add_pooling
from headrace.streams.demo.train import Head
from tests.streams.demo.sources import LAYERS, WIDTH, encoder, tokenizer

TEXTS = ["good", "the film was not good at all, it was broken", "", "bad a bad film", "x y z " * 30]


@pytest.fixture
def words(tmp_path: Path) -> bytes:
    return tokenizer(tmp_path)


def head(width: int = WIDTH * (LAYERS + 1)) -> Head:
    rng = np.random.default_rng(2)
    return Head(rng.normal(size=(width, 2)).astype(np.float32), rng.normal(size=2).astype(np.float32))


def test_the_embedding_is_the_mean_token_vector_of_every_layer(words: bytes) -> None:
    import onnx
    import onnxruntime
    from tokenizers import Tokenizer

    model = onnx.load_from_string(encoder())
    for name in ("state", "state0"):
        model.graph.output.append(onnx.helper.make_tensor_value_info(name, 1, None))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    plain = Tokenizer.from_buffer(words)
    plain.no_padding()
    plain.no_truncation()
    ids = np.array([plain.encode(TEXTS[1]).ids])
    feeds = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    last, first, second = session.run(None, feeds)
    expected = np.concatenate([layer[0].mean(axis=0) for layer in (first, second, last)])
    found = Encoder(add_pooling(encoder()), words).run(TEXTS)[1]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_joined_graph_gives_the_heads_logits_of_the_embedding(words: bytes) -> None:
    embedder = add_pooling(encoder())
    joined = Encoder(add_head(embedder, head()), words).run(TEXTS)
    assert joined.shape == (len(TEXTS), 2)
    np.testing.assert_allclose(joined, head().logits(Encoder(embedder, words).run(TEXTS)), atol=1e-4)


def test_a_result_does_not_depend_on_batch_mates(words: bytes) -> None:
    joined = Encoder(add_head(add_pooling(encoder()), head()), words)
    alone = np.concatenate([joined.run([text]) for text in TEXTS])
    np.testing.assert_allclose(joined.run(TEXTS), alone, atol=1e-5)
    np.testing.assert_allclose(joined.run(TEXTS[::-1])[::-1], alone, atol=1e-5)


def test_the_joined_graph_has_three_inputs_and_one_output_of_any_size() -> None:
    import onnx

    model = onnx.load_from_string(add_head(add_pooling(encoder()), head()))
    onnx.checker.check_model(model, full_check=True)
    assert [given.name for given in model.graph.input] == ["input_ids", "attention_mask", "token_type_ids"]
    (output,) = model.graph.output
    sizes = [size.dim_param or size.dim_value for size in output.type.tensor_type.shape.dim]
    assert (output.name, sizes) == ("logits", ["batch", 2])


def test_a_text_without_tokens_gives_numbers() -> None:
    import onnxruntime

    graph = add_head(add_pooling(encoder()), head())
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    nothing = np.zeros((1, 3), np.int64)
    feeds = {"input_ids": nothing, "attention_mask": nothing, "token_type_ids": nothing}
    assert np.isfinite(session.run(None, feeds)[0]).all()


@pytest.mark.provokes("HR427")
def test_a_graph_that_is_no_bert_is_refused() -> None:
    with pytest.raises(GraphJoinError, match="has opset 16; needed is 17"):
        add_pooling(encoder(opset=16))
    with pytest.raises(GraphJoinError, match="used as output names multiple times"):
        add_pooling(encoder(output="headrace_embedding"))


def test_a_graph_with_other_inputs_or_another_end_is_refused() -> None:
    import onnx

    model = onnx.load_from_string(encoder())
    model.graph.input[2].name = "pixels"
    with pytest.raises(GraphJoinError, match="has the inputs input_ids, attention_mask, pixels"):
        add_pooling(model.SerializeToString())
    model = onnx.load_from_string(encoder())
    model.graph.output[0].name = "embedding"
    with pytest.raises(GraphJoinError, match="should give its output embedding"):
        add_pooling(model.SerializeToString())
