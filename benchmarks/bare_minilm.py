"""The peer: a plain loop of tokenizer and onnxruntime over texts in memory, no Kafka, one by one and in sorted runs.

Windows of 64 texts are tokenised together, sorted by length and run so many at a time; each window goes through all
policies in turn. Prints one JSON line: run size -> texts a second of wall time and of CPU time.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

WINDOW, RUNS, MAX_TOKENS = 64, (1, 4, 8, 16), 256


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

    def classify(window: list[str], run: int) -> list[int]:
        encoded = tokenizer.encode_batch_fast(window)
        order = sorted(range(len(window)), key=lambda at: len(encoded[at].ids))
        labels = [0] * len(window)
        for begin in range(0, len(order), run):
            rows = order[begin : begin + run]
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

    for run in RUNS:
        classify(texts[:WINDOW], run)
    wall, cpu = dict.fromkeys(RUNS, 0.0), dict.fromkeys(RUNS, 0.0)
    done, at, first = 0, 0, time.monotonic()
    while time.monotonic() - first < seconds:
        for run in RUNS:
            begun, spent = time.monotonic(), time.process_time()
            classify(texts[at : at + WINDOW], run)
            wall[run] += time.monotonic() - begun
            cpu[run] += time.process_time() - spent
        done += WINDOW
        at = (at + WINDOW) % (len(texts) - WINDOW)
    print(json.dumps({run: {"wall": done / wall[run], "cpu": done / cpu[run]} for run in RUNS}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
