import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtSession;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;

/** 784 numbers, as raw float32 or in JSON, to ten probabilities; the tensors are made once. */
final class Ffnn implements Scorer {
  static final int IN = 784;
  static final int OUT = 10;
  static final JsonFactory JSON =
      JsonFactory.builder().enable(StreamReadFeature.USE_FAST_DOUBLE_PARSER).build();

  final FloatBuffer row = direct(IN);
  final FloatBuffer scores = direct(OUT);
  final OrtSession session;
  final OnnxTensor x;
  final OnnxTensor y;
  final boolean raw;

  Ffnn(Path model, boolean raw) throws Exception {
    session = Peer.open(model);
    OrtEnvironment runtime = OrtEnvironment.getEnvironment();
    x = OnnxTensor.createTensor(runtime, row, new long[] {1, IN});
    y = OnnxTensor.createTensor(runtime, scores, new long[] {1, OUT});
    this.raw = raw;
  }

  @Override
  public byte[] score(byte[] value) throws Exception {
    if (raw) {
      row.put(0, ByteBuffer.wrap(value).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer(), 0, IN);
    } else {
      read(value);
    }
    session.run(Map.of("x", x), Map.of("y", y)).close();
    int best = 0;
    StringBuilder said = new StringBuilder(160).append(",\"scores\":[");
    for (int at = 0; at < OUT; at++) {
      best = scores.get(at) > scores.get(best) ? at : best;
      said.append(at > 0 ? "," : "").append(scores.get(at));
    }
    return ("{\"label\":" + best + said + "]}").getBytes(StandardCharsets.ISO_8859_1);
  }

  /** Reads the list under "pixels" without a tree. */
  void read(byte[] value) throws Exception {
    int count = 0;
    try (var parser = JSON.createParser(value)) {
      parser.nextToken();
      while (parser.nextToken() != null) {
        if (parser.currentToken() == JsonToken.START_ARRAY && "pixels".equals(parser.currentName())) {
          while (parser.nextToken() != JsonToken.END_ARRAY) {
            row.put(count++, parser.getFloatValue());
          }
        }
      }
    }
    if (count != IN) {
      throw new IllegalArgumentException("pixels " + count);
    }
  }

  static FloatBuffer direct(int count) {
    return ByteBuffer.allocateDirect(count * 4).order(ByteOrder.nativeOrder()).asFloatBuffer();
  }
}
