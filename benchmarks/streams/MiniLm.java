import ai.djl.huggingface.tokenizers.Encoding;
import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtSession;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonToken;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.LongBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;

/** A text under "body" to one of two labels: the tokenizer and the graph that the pipeline has, pooling and head in it. */
final class MiniLm implements Scorer {
  static final int MOST_TOKENS = 256;
  static final JsonFactory JSON = new JsonFactory();

  final OrtEnvironment runtime = OrtEnvironment.getEnvironment();
  final LongBuffer ids = direct();
  final LongBuffer mask = direct();
  final LongBuffer types = direct();
  final OrtSession session;
  final HuggingFaceTokenizer tokenizer;

  MiniLm(Path model) throws Exception {
    session = Peer.open(model);
    tokenizer =
        HuggingFaceTokenizer.builder()
            .optTokenizerPath(model.resolve("tokenizer.json"))
            .optPadding(false)
            .optTruncation(true)
            .optMaxLength(MOST_TOKENS)
            .build();
  }

  @Override
  public byte[] score(byte[] value) throws Exception {
    Encoding text = tokenizer.encode(body(value));
    long[] shape = {1, text.getIds().length};
    try (OnnxTensor input = tensor(ids, text.getIds(), shape);
        OnnxTensor attention = tensor(mask, text.getAttentionMask(), shape);
        OnnxTensor kinds = tensor(types, text.getTypeIds(), shape);
        OrtSession.Result found =
            session.run(Map.of("input_ids", input, "attention_mask", attention, "token_type_ids", kinds))) {
      float[] logits = ((float[][]) found.get(0).getValue())[0];
      double positive = 1 / (1 + Math.exp(logits[0] - logits[1]));
      String label = positive >= 0.5 ? "positive" : "negative";
      String said = "{\"label\":\"" + label + "\",\"score\":" + (float) Math.max(positive, 1 - positive) + "}";
      return said.getBytes(StandardCharsets.ISO_8859_1);
    }
  }

  OnnxTensor tensor(LongBuffer buffer, long[] row, long[] shape) throws Exception {
    return OnnxTensor.createTensor(runtime, buffer.clear().put(row).flip(), shape);
  }

  static String body(byte[] value) throws Exception {
    try (var parser = JSON.createParser(value)) {
      while (parser.nextToken() != null) {
        if (parser.currentToken() == JsonToken.VALUE_STRING && "body".equals(parser.currentName())) {
          return parser.getText();
        }
      }
    }
    throw new IllegalArgumentException("no body");
  }

  static LongBuffer direct() {
    return ByteBuffer.allocateDirect(MOST_TOKENS * 8).order(ByteOrder.nativeOrder()).asLongBuffer();
  }
}
