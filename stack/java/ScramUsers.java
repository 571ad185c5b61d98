import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ScramCredentialInfo;
import org.apache.kafka.clients.admin.ScramMechanism;
import org.apache.kafka.clients.admin.UserScramCredentialAlteration;
import org.apache.kafka.clients.admin.UserScramCredentialDeletion;
import org.apache.kafka.clients.admin.UserScramCredentialUpsertion;
import org.apache.kafka.common.errors.ResourceNotFoundException;

/**
 * Puts and removes Kafka's SCRAM users for whoever writes lines of JSON to stdin: first the admin client's
 * properties, then a request a line. Each is answered by a line on stdout. Ends with its stdin.
 */
public final class ScramUsers {
  private static final ScramMechanism MECHANISM = ScramMechanism.SCRAM_SHA_512;
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final long TIMEOUT_MS = 15_000;

  private final Admin admin;

  private ScramUsers(Admin admin) {
    this.admin = admin;
  }

  public static void main(String[] args) throws Exception {
    var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    var properties = new Properties();
    JSON.readTree(lines.readLine())
        .properties()
        .forEach(entry -> properties.put(entry.getKey(), entry.getValue().asText()));
    properties.put("request.timeout.ms", "5000");
    properties.put("default.api.timeout.ms", String.valueOf(TIMEOUT_MS));
    var users = new ScramUsers(Admin.create(properties));
    var workers = Executors.newFixedThreadPool(8);
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      JsonNode request = JSON.readTree(line);
      workers.execute(() -> users.answer(request));
    }
    // Whoever asked has ended: nobody waits for what is under way.
    Runtime.getRuntime().halt(0);
  }

  private void answer(JsonNode request) {
    ObjectNode reply = JSON.createObjectNode().put("id", request.get("id").asLong());
    try {
      switch (request.get("action").asText()) {
        case "put" -> put(user(request), request.get("password").asText());
        case "remove" -> remove(user(request));
        case "exists" -> reply.put("exists", iterations(user(request)) > 0);
        case "names" -> names().forEach(reply.putArray("users")::add);
        default -> reply.put("error", "no such action");
      }
    } catch (Exception e) {
      Throwable cause = e instanceof ExecutionException ? e.getCause() : e;
      reply.put("error", cause.toString());
    }
    synchronized (System.out) {
      System.out.println(reply);
    }
  }

  private static String user(JsonNode request) {
    return request.get("user").asText();
  }

  /** Brokers show no password, but the number of iterations: by it the change is seen. Kafka takes 4096 and more. */
  private void put(String user, String password) throws Exception {
    int before = iterations(user);
    int iterations;
    do {
      iterations = 4096 + ThreadLocalRandom.current().nextInt(1024);
    } while (iterations == before);
    var info = new ScramCredentialInfo(MECHANISM, iterations);
    alter(new UserScramCredentialUpsertion(user, info, password));
    waitFor(user, iterations);
  }

  private void remove(String user) throws Exception {
    try {
      alter(new UserScramCredentialDeletion(user, MECHANISM));
    } catch (ExecutionException e) {
      if (!(e.getCause() instanceof ResourceNotFoundException)) throw e;
    }
    waitFor(user, 0);
  }

  private void alter(UserScramCredentialAlteration alteration) throws Exception {
    admin.alterUserScramCredentials(List.of(alteration)).all().get(TIMEOUT_MS, TimeUnit.MILLISECONDS);
  }

  private void waitFor(String user, int iterations) throws Exception {
    long until = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(TIMEOUT_MS);
    while (iterations(user) != iterations) {
      if (System.nanoTime() > until) throw new IllegalStateException("the change is not seen");
      Thread.sleep(5);
    }
  }

  /** 0 where there is no such user. */
  private int iterations(String user) throws Exception {
    try {
      return admin.describeUserScramCredentials(List.of(user)).description(user)
          .get(TIMEOUT_MS, TimeUnit.MILLISECONDS).credentialInfos().stream()
          .filter(info -> info.mechanism() == MECHANISM)
          .mapToInt(ScramCredentialInfo::iterations)
          .findFirst()
          .orElse(0);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof ResourceNotFoundException) return 0;
      throw e;
    }
  }

  private List<String> names() throws Exception {
    return admin.describeUserScramCredentials().all().get(TIMEOUT_MS, TimeUnit.MILLISECONDS)
        .values().stream()
        .filter(user -> user.credentialInfos().stream().anyMatch(info -> info.mechanism() == MECHANISM))
        .map(user -> user.name())
        .toList();
  }
}
