import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import java.nio.file.Path;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Produced;

/** The peer in Java: Kafka Streams with its defaults and ONNX Runtime in the process, one record a run. */
public final class Peer {
  /**
   * Arguments: bootstrap servers, topic in, topic out, work (raw, json or minilm), folder of the model, and, unless it
   * is the default of Kafka Streams, the guarantee (exactly_once_v2).
   */
  public static void main(String[] given) throws Exception {
    Properties settings = new Properties();
    settings.put(StreamsConfig.APPLICATION_ID_CONFIG, given[2]);
    settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, given[0]);
    settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1);
    settings.put(StreamsConfig.STATE_DIR_CONFIG, given[2] + ".state");
    settings.put("auto.offset.reset", "earliest");
    if (given.length > 5) {
      settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, given[5]);
    }
    Scorer scorer = scorer(given[3], Path.of(given[4]));
    StreamsBuilder builder = new StreamsBuilder();
    builder.stream(given[1], Consumed.with(Serdes.ByteArray(), Serdes.ByteArray()))
        .mapValues(value -> scored(scorer, value))
        .to(given[2], Produced.with(Serdes.ByteArray(), Serdes.ByteArray()));
    KafkaStreams streams = new KafkaStreams(builder.build(), settings);
    streams.setUncaughtExceptionHandler(
        error -> {
          error.printStackTrace();
          Runtime.getRuntime().halt(1); // a peer that fails ends, so that the benchmark does
          return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
    CountDownLatch ended = new CountDownLatch(1);
    Runtime.getRuntime().addShutdownHook(new Thread(() -> { streams.close(); ended.countDown(); }));
    streams.start();
    ended.await();
  }

  static Scorer scorer(String work, Path model) throws Exception {
    return work.equals("minilm") ? new MiniLm(model) : new Ffnn(model, work.equals("raw"));
  }

  static byte[] scored(Scorer scorer, byte[] value) {
    try {
      return scorer.score(value);
    } catch (Exception error) {
      throw new IllegalStateException(error);
    }
  }

  /** Opens a graph for one thread. */
  static OrtSession open(Path model) throws OrtException {
    OrtSession.SessionOptions options = new OrtSession.SessionOptions();
    options.setIntraOpNumThreads(1);
    options.setInterOpNumThreads(1);
    return OrtEnvironment.getEnvironment().createSession(model.resolve("model.onnx").toString(), options);
  }
}
