import java.nio.file.Files;
import java.nio.file.Path;

/** Formats a broker's data directory where it is new, and starts the broker: one JVM start instead of two. */
public final class StartBroker {
  /** Arguments: server.properties, data directory, cluster id, then SCRAM credentials as StorageTool takes them. */
  public static void main(String[] args) {
    if (!Files.exists(Path.of(args[1], "meta.properties"))) {
      String[] format = new String[4 + 2 * (args.length - 3)];
      format[0] = "format";
      // In one word: an id may begin with a dash, and would be taken for an option.
      format[1] = "--cluster-id=" + args[2];
      format[2] = "--config";
      format[3] = args[0];
      for (int i = 3; i < args.length; i++) {
        format[4 + 2 * (i - 3)] = "--add-scram";
        format[5 + 2 * (i - 3)] = args[i];
      }
      int code = kafka.tools.StorageTool.execute(format, System.err);
      if (code != 0) System.exit(code);
    }
    kafka.Kafka.main(new String[] {args[0]});
  }
}
