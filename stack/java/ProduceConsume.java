import java.io.FileInputStream;
import java.time.Duration;
import java.util.HashSet;
import java.util.Properties;
import java.util.Set;
import java.util.UUID;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** Writes records and reads them back, with a properties file that somebody else wrote. */
public final class ProduceConsume {
  /** Arguments: properties file, topic, number of records. Exits with 0 once all came back, by an exception otherwise. */
  public static void main(String[] args) throws Exception {
    Properties properties = new Properties();
    try (var file = new FileInputStream(args[0])) {
      properties.load(file);
    }
    String topic = args[1];
    int count = Integer.parseInt(args[2]);
    Set<String> awaited = new HashSet<>();
    String run = UUID.randomUUID().toString();
    try (var producer =
        new KafkaProducer<>(properties, new StringSerializer(), new StringSerializer())) {
      for (int i = 0; i < count; i++) {
        String value = run + " " + i;
        awaited.add(value);
        producer.send(new ProducerRecord<>(topic, value)).get();
      }
    }
    var strings = new StringDeserializer();
    try (var consumer = new KafkaConsumer<>(properties, strings, strings)) {
      var partitions =
          consumer.partitionsFor(topic).stream()
              .map(info -> new TopicPartition(topic, info.partition()))
              .toList();
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      while (!awaited.isEmpty()) {
        for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(200))) {
          awaited.remove(record.value());
        }
      }
    }
    System.out.println("produced and consumed " + count);
  }
}
