import java.io.DataInputStream;
import java.io.EOFException;
import java.io.FileInputStream;
import java.io.IOException;
import java.util.Properties;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Writes records of any bytes, with a properties file that somebody else wrote. */
public final class WriteRecords {
  /**
   * Arguments: properties file, topic. Stdin: of each record its key, its value, and the value of its
   * header "from", each with its length before it in four bytes, big-endian; -1 stands for none.
   */
  public static void main(String[] args) throws Exception {
    Properties properties = new Properties();
    try (var file = new FileInputStream(args[0])) {
      properties.load(file);
    }
    var bytes = new ByteArraySerializer();
    try (var producer = new KafkaProducer<>(properties, bytes, bytes);
        var in = new DataInputStream(System.in)) {
      var failed = new Exception[1];
      for (; ; ) {
        int length;
        try {
          length = in.readInt();
        } catch (EOFException end) {
          break;
        }
        var record = new ProducerRecord<>(args[1], read(in, length), read(in, in.readInt()));
        byte[] from = read(in, in.readInt());
        if (from != null) record.headers().add("from", from);
        producer.send(
            record,
            (stored, failure) -> {
              if (failure != null) failed[0] = failure;
            });
      }
      producer.flush();
      if (failed[0] != null) throw failed[0];
    }
  }

  private static byte[] read(DataInputStream in, int length) throws IOException {
    return length < 0 ? null : in.readNBytes(length);
  }
}
