"""The peer: a plain loop of tokenizer and onnxruntime over texts in memory, with the same batch policy, no Kafka.

Windows of 64 texts, tokenised together, sorted by length, runs of 8. Prints one JSON line: texts a second.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

WINDOW, RUN, MAX_TOKENS = 64, 8, 256


def main(model: str, texts_file: str, seconds: float) -> None:
    import numpy as np
    import onnxruntime
    from tokenizers import Tokenizer

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(f"{model}/model.onnx", options, providers=["CPUExecutionProvider"])
    tokenizer = Tokenizer.from_file(f"{model}/tokenizer.json")
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    texts = json.loads(Path(texts_file).read_text())
    names = [each.name for each in session.get_inputs()]

    def classify(window: list[str]) -> list[int]:
        encoded = tokenizer.encode_batch_fast(window)
        order = sorted(range(len(window)), key=lambda at: len(encoded[at].ids))
        labels = [0] * len(window)
        for begin in range(0, len(order), RUN):
            rows = order[begin : begin + RUN]
            width = len(encoded[rows[-1]].ids)
            ids, mask = np.zeros((len(rows), width), np.int64), np.zeros((len(rows), width), np.int64)
            for row, at in enumerate(rows):
                tokens = encoded[at].ids
                ids[row, : len(tokens)], mask[row, : len(tokens)] = tokens, 1
            feeds = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
            logits = session.run(None, {name: feeds[name] for name in names})[0]
            for at, label in zip(rows, logits.argmax(1).tolist(), strict=True):
                labels[at] = label
        return labels

    done, at, begun, cpu, first = 0, 0, 0.0, 0.0, time.monotonic()
    while (now := time.monotonic()) - first < seconds * 1.25:
        if not begun and now - first > seconds * 0.25:
            begun, cpu, done = now, time.process_time(), 0
        done += len(classify(texts[at : at + WINDOW]))
        at = (at + WINDOW) % (len(texts) - WINDOW)
    print(json.dumps({"wall": done / (now - begun), "cpu": done / (time.process_time() - cpu)}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
