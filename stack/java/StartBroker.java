import java.nio.file.Files;
import java.nio.file.Path;

/** Formats a broker's data directory where it is new, and starts the broker: one JVM start instead of two. */
public final class StartBroker {
  /** Arguments: server.properties, data directory, cluster id, then SCRAM credentials as StorageTool takes them. */
  public static void main(String[] args) {
    if (!Files.exists(Path.of(args[1], "meta.properties"))) {
      String[] format = new String[5 + 2 * (args.length - 3)];
      format[0] = "format";
      format[1] = "--cluster-id";
      format[2] = args[2];
      format[3] = "--config";
      format[4] = args[0];
      for (int i = 3; i < args.length; i++) {
        format[5 + 2 * (i - 3)] = "--add-scram";
        format[6 + 2 * (i - 3)] = args[i];
      }
      int code = kafka.tools.StorageTool.execute(format, System.err);
      if (code != 0) System.exit(code);
    }
    kafka.Kafka.main(new String[] {args[0]});
  }
}
