import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.apache.iceberg.BaseTable;
import org.apache.iceberg.DeleteFile;
import org.apache.iceberg.Files;
import org.apache.iceberg.MetricsConfig;
import org.apache.iceberg.PartitionData;
import org.apache.iceberg.RowDelta;
import org.apache.iceberg.Table;
import org.apache.iceberg.catalog.Namespace;
import org.apache.iceberg.catalog.TableIdentifier;
import org.apache.iceberg.data.GenericRecord;
import org.apache.iceberg.data.parquet.GenericParquetWriter;
import org.apache.iceberg.deletes.PositionDelete;
import org.apache.iceberg.deletes.PositionDeleteWriter;
import org.apache.iceberg.io.DataWriter;
import org.apache.iceberg.io.FileIO;
import org.apache.iceberg.io.InputFile;
import org.apache.iceberg.io.OutputFile;
import org.apache.iceberg.io.PositionOutputStream;
import org.apache.iceberg.io.SeekableInputStream;
import org.apache.iceberg.jdbc.JdbcCatalog;
import org.apache.iceberg.parquet.Parquet;

/**
 * Iceberg's own JdbcCatalog on our SQLite file, as another writer. The table's columns are id long, name string, is_current boolean, its
 * partition identity(is_current); rows are written to is_current=true. Prints the new metadata location.
 *
 * <p>JdbcWriter DB CATALOG WAREHOUSE list | append TABLE FIRST_ID COUNT | delete TABLE [PATH POSITION]...
 */
public final class JdbcWriter {
  /** file:// URIs on the local disk; a file keeps the name it was asked for under, which metadata and delete files repeat. */
  private static final class LocalFiles implements FileIO {
    private static String path(String location) {
      return location.startsWith("file://") ? location.substring("file://".length()) : location;
    }

    @Override
    public InputFile newInputFile(String location) {
      InputFile file = Files.localInput(path(location));
      return new InputFile() {
        @Override
        public long getLength() {
          return file.getLength();
        }

        @Override
        public SeekableInputStream newStream() {
          return file.newStream();
        }

        @Override
        public String location() {
          return location;
        }

        @Override
        public boolean exists() {
          return file.exists();
        }
      };
    }

    @Override
    public OutputFile newOutputFile(String location) {
      OutputFile file = Files.localOutput(path(location));
      return new OutputFile() {
        @Override
        public PositionOutputStream create() {
          return file.create();
        }

        @Override
        public PositionOutputStream createOrOverwrite() {
          return file.createOrOverwrite();
        }

        @Override
        public String location() {
          return location;
        }

        @Override
        public InputFile toInputFile() {
          return newInputFile(location);
        }
      };
    }

    @Override
    public void deleteFile(String location) {
      new java.io.File(path(location)).delete();
    }
  }

  private static PartitionData current(Table table) {
    PartitionData partition = new PartitionData(table.spec().partitionType());
    partition.set(0, true);
    return partition;
  }

  private static OutputFile newFile(Table table, String kind) {
    return table.io().newOutputFile(table.location() + "/data/is_current=true/" + kind + "-" + UUID.randomUUID() + ".parquet");
  }

  private static void append(Table table, long first, int count) throws Exception {
    DataWriter<GenericRecord> writer =
        Parquet.writeData(newFile(table, "java"))
            .forTable(table)
            .schema(table.schema())
            .withSpec(table.spec())
            .withPartition(current(table))
            .createWriterFunc(GenericParquetWriter::create)
            .build();
    try (writer) {
      for (long id = first; id < first + count; id++) {
        GenericRecord row = GenericRecord.create(table.schema());
        row.setField("id", id);
        row.setField("name", "java");
        row.setField("is_current", true);
        writer.write(row);
      }
    }
    table.newAppend().appendFile(writer.toDataFile()).commit();
  }

  /** One delete file for all the paths: partition-scoped, as older engines write them. */
  private static void delete(Table table, List<Map.Entry<String, Long>> positions) throws Exception {
    PositionDeleteWriter<GenericRecord> writer =
        Parquet.writeDeletes(newFile(table, "deletes"))
            .metricsConfig(MetricsConfig.forPositionDelete())
            .withSpec(table.spec())
            .withPartition(current(table))
            .buildPositionWriter();
    try (writer) {
      for (Map.Entry<String, Long> position : positions) {
        writer.write(PositionDelete.<GenericRecord>create().set(position.getKey(), position.getValue()));
      }
    }
    DeleteFile file = writer.toDeleteFile();
    RowDelta delta = table.newRowDelta().addDeletes(file);
    delta.commit();
  }

  public static void main(String[] args) throws Exception {
    JdbcCatalog catalog = new JdbcCatalog(properties -> new LocalFiles(), null, true);
    catalog.initialize(args[1], Map.of("uri", "jdbc:sqlite:" + args[0], "warehouse", args[2], "jdbc.schema-version", "V1"));
    if (args[3].equals("list")) {
      System.out.println(catalog.listTables(Namespace.of("silver")));
      return;
    }
    Table table = catalog.loadTable(TableIdentifier.of("silver", args[4]));
    if (args[3].equals("append")) {
      append(table, Long.parseLong(args[5]), Integer.parseInt(args[6]));
    } else {
      List<Map.Entry<String, Long>> positions = new ArrayList<>();
      for (int i = 5; i + 1 < args.length; i += 2) positions.add(Map.entry(args[i], Long.parseLong(args[i + 1])));
      positions.sort(Map.Entry.<String, Long>comparingByKey().thenComparing(Map.Entry.comparingByValue()));
      delete(table, positions);
    }
    System.out.println(((BaseTable) table).operations().current().metadataFileLocation());
  }
}
