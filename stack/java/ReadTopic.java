import java.io.BufferedOutputStream;
import java.io.DataOutputStream;
import java.io.FileOutputStream;
import java.io.FileDescriptor;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** Reads a topic from its beginning with Kafka's own consumer, and writes each record as a frame to stdout. */
public final class ReadTopic {
  /** Arguments: bootstrap servers, topic, count (-1: up to the end offsets at the start). */
  public static void main(String[] args) throws Exception {
    String topic = args[1];
    long count = Long.parseLong(args[2]);
    Properties properties = new Properties();
    properties.put(ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, args[0]);
    properties.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, false);
    properties.put(ConsumerConfig.MAX_POLL_RECORDS_CONFIG, 10_000);
    properties.put(ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG, 8 << 20);
    properties.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
    var bytes = new ByteArrayDeserializer();
    var out =
        new DataOutputStream(
            new BufferedOutputStream(new FileOutputStream(FileDescriptor.out), 1 << 16));
    try (var consumer = new KafkaConsumer<byte[], byte[]>(properties, bytes, bytes)) {
      List<TopicPartition> partitions =
          consumer.partitionsFor(topic).stream()
              .map(info -> new TopicPartition(topic, info.partition()))
              .toList();
      Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      long seen = 0;
      while (count < 0 ? !reached(consumer, ends) : seen < count) {
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) {
          if (count < 0 ? record.offset() >= end(ends, record) : seen >= count) continue;
          write(out, record);
          seen++;
        }
        out.flush();
      }
    }
    out.flush();
  }

  private static long end(
      Map<TopicPartition, Long> ends, ConsumerRecord<byte[], byte[]> record) {
    return ends.get(new TopicPartition(record.topic(), record.partition()));
  }

  private static boolean reached(
      KafkaConsumer<byte[], byte[]> consumer, Map<TopicPartition, Long> ends) {
    for (var end : ends.entrySet()) {
      if (consumer.position(end.getKey()) < end.getValue()) return false;
    }
    return true;
  }

  /** Big-endian: length of what follows, partition, offset, timestamp, key, number of headers, headers, value. */
  private static void write(DataOutputStream out, ConsumerRecord<byte[], byte[]> record)
      throws Exception {
    Header[] headers = record.headers().toArray();
    byte[][] names = new byte[headers.length][];
    int length = 4 + 8 + 8 + size(record.key()) + 4 + size(record.value());
    for (int i = 0; i < headers.length; i++) {
      names[i] = headers[i].key().getBytes(StandardCharsets.UTF_8);
      length += size(names[i]) + size(headers[i].value());
    }
    out.writeInt(length);
    out.writeInt(record.partition());
    out.writeLong(record.offset());
    out.writeLong(record.timestamp());
    write(out, record.key());
    out.writeInt(headers.length);
    for (int i = 0; i < headers.length; i++) {
      write(out, names[i]);
      write(out, headers[i].value());
    }
    write(out, record.value());
  }

  private static int size(byte[] bytes) {
    return 4 + (bytes == null ? 0 : bytes.length);
  }

  /** A null is the length -1. */
  private static void write(DataOutputStream out, byte[] bytes) throws Exception {
    out.writeInt(bytes == null ? -1 : bytes.length);
    if (bytes != null) out.write(bytes);
  }
}
