import com.fasterxml.jackson.databind.ObjectMapper;
import java.math.BigDecimal;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.UUID;
import org.apache.hadoop.conf.Configuration;
import org.apache.iceberg.ContentFile;
import org.apache.iceberg.DataFile;
import org.apache.iceberg.DataFiles;
import org.apache.iceberg.DeleteFile;
import org.apache.iceberg.FileFormat;
import org.apache.iceberg.FileMetadata;
import org.apache.iceberg.FileScanTask;
import org.apache.iceberg.ManifestContent;
import org.apache.iceberg.ManifestFile;
import org.apache.iceberg.ManifestFiles;
import org.apache.iceberg.Metrics;
import org.apache.iceberg.PartitionKey;
import org.apache.iceberg.PartitionSpec;
import org.apache.iceberg.Schema;
import org.apache.iceberg.Snapshot;
import org.apache.iceberg.StaticTableOperations;
import org.apache.iceberg.Table;
import org.apache.iceberg.BaseTable;
import org.apache.iceberg.data.GenericRecord;
import org.apache.iceberg.data.InternalRecordWrapper;
import org.apache.iceberg.hadoop.HadoopFileIO;
import org.apache.iceberg.hadoop.HadoopTables;
import org.apache.iceberg.io.CloseableIterable;
import org.apache.iceberg.io.FileIO;
import org.apache.iceberg.types.Conversions;
import org.apache.iceberg.types.Types;

/**
 * Manifests through Iceberg's own library, without any data file.
 *
 * <p>Manifests read METADATA_LOCATION: the live files of the current snapshot, one JSON object a line, then the planned tasks.
 *
 * <p>Manifests write FOLDER: a table with awkward partition values and every kind of entry; prints its metadata location.
 */
public final class Manifests {
  private static final ObjectMapper JSON = new ObjectMapper();

  private static Map<String, Object> counts(Map<Integer, Long> map) {
    Map<String, Object> out = new LinkedHashMap<>();
    if (map != null) {
      new TreeMap<>(map).forEach((id, count) -> out.put(id.toString(), count));
    }
    return out;
  }

  private static Map<String, Object> bounds(Map<Integer, ByteBuffer> map) {
    Map<String, Object> out = new LinkedHashMap<>();
    if (map != null) {
      new TreeMap<>(map).forEach((id, bytes) -> {
        StringBuilder hex = new StringBuilder();
        for (ByteBuffer b = bytes.duplicate(); b.hasRemaining(); ) {
          hex.append(String.format("%02x", b.get()));
        }
        out.put(id.toString(), hex.toString());
      });
    }
    return out;
  }

  private static void print(Table table, ManifestFile manifest, ContentFile<?> file) throws Exception {
    Map<String, Object> out = new LinkedHashMap<>();
    out.put("manifest", manifest.path());
    out.put("spec_id", file.specId());
    out.put("sequence_number", file.dataSequenceNumber());
    out.put("content", file.content().id());
    out.put("path", file.location());
    out.put("partition_path", table.specs().get(file.specId()).partitionToPath(file.partition()));
    out.put("record_count", file.recordCount());
    out.put("file_size", file.fileSizeInBytes());
    out.put("value_counts", counts(file.valueCounts()));
    out.put("null_value_counts", counts(file.nullValueCounts()));
    out.put("lower_bounds", bounds(file.lowerBounds()));
    out.put("upper_bounds", bounds(file.upperBounds()));
    out.put("split_offsets", file.splitOffsets() == null ? List.of() : file.splitOffsets());
    System.out.println(JSON.writeValueAsString(out));
  }

  private static void read(String location) throws Exception {
    FileIO io = new HadoopFileIO(new Configuration());
    Table table = new BaseTable(new StaticTableOperations(location, io), "t");
    Snapshot snapshot = table.currentSnapshot();
    for (ManifestFile manifest : snapshot.allManifests(io)) {
      if (manifest.content() == ManifestContent.DATA) {
        try (CloseableIterable<DataFile> files = ManifestFiles.read(manifest, io, table.specs())) {
          for (DataFile file : files) {
            print(table, manifest, file);
          }
        }
      } else {
        try (CloseableIterable<DeleteFile> files = ManifestFiles.readDeleteManifest(manifest, io, table.specs())) {
          for (DeleteFile file : files) {
            print(table, manifest, file);
          }
        }
      }
    }
    try (CloseableIterable<FileScanTask> tasks = table.newScan().planFiles()) {
      for (FileScanTask task : tasks) {
        List<String> deletes = new ArrayList<>();
        task.deletes().forEach(file -> deletes.add(file.location()));
        System.out.println(JSON.writeValueAsString(Map.of("task", task.file().location(), "deletes", deletes)));
      }
    }
  }

  private static DataFile file(Table table, String name, GenericRecord row) {
    PartitionKey key = new PartitionKey(table.spec(), table.schema());
    key.partition(new InternalRecordWrapper(table.schema().asStruct()).wrap(row));
    ByteBuffer low = Conversions.toByteBuffer(Types.LongType.get(), -5L);
    ByteBuffer high = Conversions.toByteBuffer(Types.LongType.get(), 5L);
    ByteBuffer text = ByteBuffer.wrap("été".getBytes(StandardCharsets.UTF_8));
    Metrics metrics = new Metrics(3L, Map.of(1, 9L), Map.of(1, 3L, 5, 3L), Map.of(1, 0L, 5, 1L), Map.of(),
        Map.of(1, low, 5, text), Map.of(1, high, 5, text));
    return DataFiles.builder(table.spec()).withPath(table.location() + "/data/" + name).withFormat(FileFormat.PARQUET)
        .withFileSizeInBytes(100).withPartition(key).withMetrics(metrics).withSplitOffsets(List.of(4L, 50L)).build();
  }

  private static void write(String folder) throws Exception {
    Schema schema = new Schema(
        Types.NestedField.required(1, "id", Types.LongType.get()),
        Types.NestedField.optional(2, "current", Types.BooleanType.get()),
        Types.NestedField.optional(3, "at", Types.TimestampType.withZone()),
        Types.NestedField.optional(4, "price", Types.DecimalType.of(12, 2)),
        Types.NestedField.optional(5, "note", Types.StringType.get()),
        Types.NestedField.optional(6, "key", Types.UUIDType.get()),
        Types.NestedField.optional(7, "ratio", Types.FloatType.get()));
    PartitionSpec spec = PartitionSpec.builderFor(schema).identity("current").day("at", "at.day")
        .bucket("id", 16).identity("price", "price").truncate("price", 100, "price_100").truncate("note", 2).identity("key", "key_1")
        .identity("ratio", "1 ratio").identity("at", "at_exact").bucket("key", 8, "key_8").build();
    Table table = new HadoopTables(new Configuration()).create(schema, spec, Map.of("format-version", "2"), folder);
    GenericRecord row = GenericRecord.create(schema);
    row.set(0, 34L);
    row.set(1, true);
    row.set(2, java.time.OffsetDateTime.parse("1969-12-31T23:59:59.5Z"));
    row.set(3, new BigDecimal("-0.01"));
    row.set(4, "été/x");
    row.set(5, UUID.fromString("f79c3e09-677c-4bbd-a479-3f349cb785e7"));
    row.set(6, 0.5f);
    DataFile first = file(table, "a.parquet", row);
    GenericRecord later = row.copy();
    later.set(1, false);
    later.set(2, java.time.OffsetDateTime.parse("2026-11-24T12:00:00Z"));
    later.set(3, new BigDecimal("9999999999.99"));
    later.set(4, "x y=z");
    DataFile second = file(table, "b.parquet", later);
    GenericRecord nulls = GenericRecord.create(schema);
    nulls.set(0, 1L);
    DataFile third = file(table, "c.parquet", nulls);
    table.newFastAppend().appendFile(first).appendFile(second).commit();
    table.newAppend().appendFile(third).commit();
    DeleteFile positions = FileMetadata.deleteFileBuilder(table.spec()).ofPositionDeletes().withFormat(FileFormat.PARQUET)
        .withPath(table.location() + "/data/d.parquet").withFileSizeInBytes(10).withRecordCount(1).withPartition(second.partition())
        .withReferencedDataFile(second.location()).build();
    table.newRowDelta().addDeletes(positions).commit();
    table.newOverwrite().deleteFile(first).commit();
    table.rewriteManifests().clusterBy(file -> "").commit();
    System.out.println(((BaseTable) table).operations().current().metadataFileLocation());
  }

  public static void main(String[] arguments) throws Exception {
    if (arguments[0].equals("read")) {
      read(arguments[1]);
    } else {
      write(arguments[1]);
    }
  }
}
