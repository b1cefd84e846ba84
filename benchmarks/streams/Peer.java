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
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Produced;

/** The peer in Java: Kafka Streams with its defaults and ONNX Runtime in the process, one record a run. */
public final class Peer {
  static final int IN = 784;
  static final int OUT = 10;
  static final JsonFactory JSON =
      JsonFactory.builder().enable(StreamReadFeature.USE_FAST_DOUBLE_PARSER).build();

  final FloatBuffer rows = direct(IN);
  final FloatBuffer scores = direct(OUT);
  final OrtSession session;
  final OnnxTensor x;
  final OnnxTensor y;

  Peer(String model) throws Exception {
    OrtEnvironment runtime = OrtEnvironment.getEnvironment();
    OrtSession.SessionOptions options = new OrtSession.SessionOptions();
    options.setIntraOpNumThreads(1);
    options.setInterOpNumThreads(1);
    session = runtime.createSession(model + "/model.onnx", options);
    x = OnnxTensor.createTensor(runtime, rows, new long[] {1, IN});
    y = OnnxTensor.createTensor(runtime, scores, new long[] {1, OUT});
  }

  /** Arguments: bootstrap servers, topic in, topic out, raw or json, folder of the model. */
  public static void main(String[] given) throws Exception {
    Properties settings = new Properties();
    settings.put(StreamsConfig.APPLICATION_ID_CONFIG, given[2]);
    settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, given[0]);
    settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1);
    settings.put(StreamsConfig.STATE_DIR_CONFIG, given[2] + ".state");
    settings.put("auto.offset.reset", "earliest");
    Peer peer = new Peer(given[4]);
    boolean raw = given[3].equals("raw");
    StreamsBuilder builder = new StreamsBuilder();
    builder.stream(given[1], Consumed.with(Serdes.ByteArray(), Serdes.ByteArray()))
        .mapValues(value -> peer.score(value, raw))
        .to(given[2], Produced.with(Serdes.ByteArray(), Serdes.ByteArray()));
    KafkaStreams streams = new KafkaStreams(builder.build(), settings);
    CountDownLatch ended = new CountDownLatch(1);
    Runtime.getRuntime().addShutdownHook(new Thread(() -> { streams.close(); ended.countDown(); }));
    streams.start();
    ended.await();
  }

  byte[] score(byte[] value, boolean raw) {
    try {
      if (raw) {
        rows.put(0, ByteBuffer.wrap(value).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer(), 0, IN);
      } else {
        read(value);
      }
      session.run(Map.of("x", x), Map.of("y", y)).close();
    } catch (Exception error) {
      throw new IllegalStateException(error);
    }
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
            rows.put(count++, parser.getFloatValue());
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
