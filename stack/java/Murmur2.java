import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import org.apache.kafka.common.utils.Utils;

/** Answers each length-prefixed key on stdin with Kafka's own hash of it, signed and then made positive. */
public final class Murmur2 {
  public static void main(String[] args) throws Exception {
    var in = new DataInputStream(new BufferedInputStream(System.in, 1 << 16));
    try (var out = new DataOutputStream(new BufferedOutputStream(System.out, 1 << 16))) {
      while (true) {
        int length;
        try {
          length = in.readInt();
        } catch (EOFException end) {
          return;
        }
        int hash = Utils.murmur2(in.readNBytes(length));
        out.writeInt(hash);
        out.writeInt(Utils.toPositive(hash));
      }
    }
  }
}
