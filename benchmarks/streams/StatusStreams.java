import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.Repartitioned;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * The tracker's job in Kafka Streams: repartition by payload id, fold into a state for each, tell its outcomes.
 *
 * <p>As whoever knows Streams would write it: Jackson's streaming parser, a state that is its own encoding, so that the caching store
 * has nothing to serialise, and one read and one write of it for each message.
 */
public final class StatusStreams {
    private static final String STATES = "states";
    private static final JsonFactory JSON = new JsonFactory();
    private static final byte RECEIVED = 0, PROCESSING = 1, SUCCESS = 2, INVALID = 3, FAILURE = 4;
    private static final byte OPEN = 0, COMPLETED = 1, FAILED = 2;

    public static void main(String[] arguments) {
        Map<String, String> options = new HashMap<>();
        for (int i = 0; i + 1 < arguments.length; i += 2) options.put(arguments[i], arguments[i + 1]);
        boolean tellsCompleted = options.get("--completed").equals("told");

        StreamsBuilder builder = new StreamsBuilder();
        builder.addStateStore(Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore(STATES), Serdes.String(), Serdes.ByteArray())
                .withCachingEnabled());
        builder.stream(options.get("--input"), Consumed.with(Serdes.ByteArray(), Serdes.ByteArray()))
                .selectKey((key, value) -> Message.read(value).id)
                .repartition(Repartitioned.<String, byte[]>as("status").withKeySerde(Serdes.String()).withValueSerde(Serdes.ByteArray()))
                .process(() -> new Fold(tellsCompleted), STATES)
                .to(options.get("--outcomes"), Produced.with(Serdes.String(), Serdes.String()));

        KafkaStreams streams = new KafkaStreams(builder.build(), properties(options));
        streams.setUncaughtExceptionHandler(problem -> {
            problem.printStackTrace();
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(Duration.ofSeconds(8))));
        streams.start();
    }

    /** Plain is what Streams comes with. Tuned is what its manuals and users recommend for throughput. */
    private static Properties properties(Map<String, String> options) {
        Properties properties = new Properties();
        properties.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, options.get("--bootstrap"));
        properties.put(StreamsConfig.APPLICATION_ID_CONFIG, options.get("--application"));
        properties.put(StreamsConfig.STATE_DIR_CONFIG, options.get("--state"));
        boolean exactlyOnce = options.get("--guarantee").equals("exactly_once");
        properties.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, exactlyOnce ? StreamsConfig.EXACTLY_ONCE_V2 : StreamsConfig.AT_LEAST_ONCE);
        properties.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, options.get("--commit-ms"));
        properties.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
        if (options.get("--tuning").equals("tuned")) {
            properties.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 128L << 20);
            properties.put(StreamsConfig.BUFFERED_RECORDS_PER_PARTITION_CONFIG, 10_000);
            properties.put(StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), "lz4");
            properties.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 256 << 10);
            properties.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), 50);
            properties.put(StreamsConfig.producerPrefix(ProducerConfig.BUFFER_MEMORY_CONFIG), 64L << 20);
            properties.put(StreamsConfig.mainConsumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), 10_000);
            properties.put(StreamsConfig.mainConsumerPrefix(ConsumerConfig.FETCH_MIN_BYTES_CONFIG), 64 << 10);
            properties.put(StreamsConfig.mainConsumerPrefix(ConsumerConfig.FETCH_MAX_WAIT_MS_CONFIG), 50);
        }
        return properties;
    }

    /** A status message; what is absent is empty. */
    private static final class Message {
        String id = "", date = "";
        String service = "", source = "", statusMessage = "";
        final String[] attributes = {"", "", "", ""};
        byte status;

        static Message read(byte[] value) {
            Message message = new Message();
            try (JsonParser parser = JSON.createParser(value)) {
                if (parser.nextToken() != JsonToken.START_OBJECT) throw new IOException("not an object");
                while (parser.nextToken() == JsonToken.FIELD_NAME) {
                    String name = parser.currentName();
                    if (parser.nextToken() == JsonToken.VALUE_STRING) message.set(name, parser.getText());
                    else parser.skipChildren();
                }
            } catch (IOException problem) {
                throw new UncheckedIOException(problem);
            }
            return message;
        }

        private void set(String name, String value) {
            switch (name) {
                case "request_id" -> id = value;
                case "payload_id" -> id = id.isEmpty() ? value : id;
                case "service" -> service = value;
                case "source" -> source = value;
                case "status" -> status = rank(value);
                case "status_msg" -> statusMessage = value;
                case "date" -> date = value;
                case "account" -> attributes[0] = value;
                case "org_id" -> attributes[1] = value;
                case "inventory_id" -> attributes[2] = value;
                case "system_id" -> attributes[3] = value;
                default -> { }
            }
        }

        private static byte rank(String word) {
            return switch (word) {
                case "received" -> RECEIVED;
                case "success", "processing_success" -> SUCCESS;
                case "invalid" -> INVALID;
                case "failure", "failed", "error" -> FAILURE;
                default -> PROCESSING;
            };
        }

        long micros() {
            Instant instant = Instant.parse(date);
            return instant.getEpochSecond() * 1_000_000 + instant.getNano() / 1000;
        }
    }

    /**
     * State: outcome (1), revision (4), greatest date (8), and its entries: date (8), status (1), attribute (1, 0 for a status), lengths of
     * name and text (2 and 2), name, text.
     */
    private static final class Fold implements Processor<String, byte[], String, String> {
        private static final int HEADER = 13, ENTRY = 14;
        private static final DateTimeFormatter RFC_3339 =
                DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HH:mm:ss.SSSSSS'Z'").withZone(ZoneOffset.UTC);

        private final boolean tellsCompleted;
        private final int[] stageAt = new int[256];
        private final long[] stageDate = new long[256];
        private final byte[] stageStatus = new byte[256];
        private ProcessorContext<String, String> context;
        private KeyValueStore<String, byte[]> states;

        Fold(boolean tellsCompleted) {
            this.tellsCompleted = tellsCompleted;
        }

        @Override
        public void init(ProcessorContext<String, String> context) {
            this.context = context;
            states = context.getStateStore(STATES);
        }

        @Override
        public void process(Record<String, byte[]> record) {
            Message message = Message.read(record.value());
            byte[] before = states.get(record.key());
            byte[] state = before == null ? new byte[HEADER] : before;
            for (int kind = 0; kind < 4; kind++) {
                if (!message.attributes[kind].isEmpty()) state = add(state, 0, (byte) 0, (byte) (kind + 1), "", message.attributes[kind]);
            }
            String name = message.service + '\0' + message.source;
            state = add(state, message.micros(), message.status, (byte) 0, name, message.statusMessage);
            if (state == before) return;
            byte outcome = judge(state);
            if (outcome != state[0]) {
                state[0] = outcome;
                if (outcome == FAILED || (outcome == COMPLETED && tellsCompleted)) tell(record, state);
            }
            states.put(record.key(), state);
        }

        /** The same array if the entry is known, else a longer one. */
        private static byte[] add(byte[] state, long date, byte status, byte attribute, String name, String text) {
            byte[] nameBytes = name.getBytes(StandardCharsets.UTF_8), textBytes = text.getBytes(StandardCharsets.UTF_8);
            byte[] entry = new byte[ENTRY + nameBytes.length + textBytes.length];
            ByteBuffer.wrap(entry).putLong(date).put(status).put(attribute)
                    .putShort((short) nameBytes.length).putShort((short) textBytes.length).put(nameBytes).put(textBytes);
            ByteBuffer known = ByteBuffer.wrap(state);
            for (int at = HEADER, next; at < state.length; at = next) {
                next = end(known, at);
                if (Arrays.equals(state, at, next, entry, 0, entry.length)) return state;
            }
            byte[] longer = Arrays.copyOf(state, state.length + entry.length);
            System.arraycopy(entry, 0, longer, state.length, entry.length);
            ByteBuffer header = ByteBuffer.wrap(longer);
            header.putLong(5, Math.max(header.getLong(5), date));
            return longer;
        }

        private static int end(ByteBuffer state, int at) {
            return at + ENTRY + state.getShort(at + 10) + state.getShort(at + 12);
        }

        private byte judge(byte[] state) {
            ByteBuffer entries = ByteBuffer.wrap(state);
            int stages = 0;
            for (int at = HEADER; at < state.length; at = end(entries, at)) {
                if (state[at + 9] != 0) continue;
                int from = at + ENTRY, to = from + entries.getShort(at + 10), stage = 0;
                while (stage < stages && !isNamed(state, entries, stageAt[stage], from, to)) stage++;
                long date = entries.getLong(at);
                byte status = state[at + 8];
                boolean isNew = stage == stages;
                if (isNew) stageAt[stages++] = at;
                if (isNew || date > stageDate[stage] || (date == stageDate[stage] && status > stageStatus[stage])) {
                    stageDate[stage] = date;
                    stageStatus[stage] = status;
                }
            }
            boolean allSucceeded = true;
            for (int stage = 0; stage < stages; stage++) {
                if (stageStatus[stage] >= INVALID) return FAILED;
                allSucceeded &= stageStatus[stage] == SUCCESS;
            }
            return allSucceeded ? COMPLETED : OPEN;
        }

        private static boolean isNamed(byte[] state, ByteBuffer entries, int stageAt, int from, int to) {
            int start = stageAt + ENTRY;
            return Arrays.equals(state, start, start + entries.getShort(stageAt + 10), state, from, to);
        }

        private void tell(Record<String, byte[]> record, byte[] state) {
            ByteBuffer header = ByteBuffer.wrap(state);
            int revision = header.getInt(1) + 1;
            header.putInt(1, revision);
            long newest = header.getLong(5);
            Instant endedAt = Instant.ofEpochSecond(newest / 1_000_000, newest % 1_000_000 * 1000);
            String type = state[0] == FAILED ? "payload-failed" : "payload-completed";
            String event = "{\"id\":\"" + record.key() + ':' + revision + "\",\"type\":\"" + type + "\",\"revision\":" + revision
                    + ",\"payload_id\":\"" + record.key() + "\",\"ended_at\":\"" + RFC_3339.format(endedAt) + "\"}";
            context.forward(new Record<>(record.key(), event, record.timestamp()));
        }
    }
}
