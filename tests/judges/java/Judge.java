import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.PrintStream;
import java.math.BigDecimal;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.LocalDateTime;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.iceberg.BaseTable;
import org.apache.iceberg.Files;
import org.apache.iceberg.MetadataColumns;
import org.apache.iceberg.StaticTableOperations;
import org.apache.iceberg.StructLike;
import org.apache.iceberg.Table;
import org.apache.iceberg.data.IcebergGenerics;
import org.apache.iceberg.data.Record;
import org.apache.iceberg.expressions.Expression;
import org.apache.iceberg.expressions.Expressions;
import org.apache.iceberg.io.CloseableIterable;
import org.apache.iceberg.io.FileIO;
import org.apache.iceberg.io.InputFile;
import org.apache.iceberg.io.OutputFile;
import org.apache.iceberg.types.Type;
import org.apache.iceberg.types.Types;

/**
 * Reads a table through Iceberg's own library and prints a JSON object a row, in the form that readers.py describes.
 *
 * <p>Judge METADATA_LOCATION SNAPSHOT_ID|- [COLUMN OP LITERAL]... ; OP is one of = &lt; &lt;= &gt; &gt;= null notnull (LITERAL "-").
 */
public final class Judge {
  private static final DateTimeFormatter MICROS = DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss.SSSSSS");
  private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("HH:mm:ss.SSSSSS");

  private static final class LocalFiles implements FileIO {
    private static String path(String location) {
      return location.startsWith("file://") ? location.substring("file://".length()) : location;
    }

    @Override
    public InputFile newInputFile(String location) {
      InputFile file = Files.localInput(path(location));
      return new Named(file, location);
    }

    @Override
    public OutputFile newOutputFile(String location) {
      throw new UnsupportedOperationException("read only");
    }

    @Override
    public void deleteFile(String location) {
      throw new UnsupportedOperationException("read only");
    }
  }

  /** A local file under the location that the table gives it, which delete files refer to. */
  private record Named(InputFile file, String name) implements InputFile {
    @Override
    public long getLength() {
      return file.getLength();
    }

    @Override
    public org.apache.iceberg.io.SeekableInputStream newStream() {
      return file.newStream();
    }

    @Override
    public String location() {
      return name;
    }

    @Override
    public boolean exists() {
      return file.exists();
    }
  }

  private static Object plain(Type type, Object value) {
    if (value == null) return null;
    switch (type.typeId()) {
      case FLOAT:
      case DOUBLE:
        double number = ((Number) value).doubleValue();
        return Double.isNaN(number) || Double.isInfinite(number) ? Double.toString(number) : number;
      case DECIMAL:
        return ((BigDecimal) value).toPlainString();
      case TIME:
        return TIME.format((java.time.LocalTime) value);
      case TIMESTAMP:
        if (((Types.TimestampType) type).shouldAdjustToUTC()) {
          return MICROS.format(((OffsetDateTime) value).withOffsetSameInstant(ZoneOffset.UTC)) + "+00:00";
        }
        return MICROS.format((LocalDateTime) value);
      case BINARY:
        ByteBuffer bytes = ((ByteBuffer) value).duplicate();
        byte[] copy = new byte[bytes.remaining()];
        bytes.get(copy);
        return hex(copy);
      case FIXED:
        return hex((byte[]) value);
      case STRUCT:
        return row(type.asStructType(), (StructLike) value);
      case LIST:
        List<Object> items = new ArrayList<>();
        for (Object item : (List<?>) value) items.add(plain(type.asListType().elementType(), item));
        return items;
      case MAP:
        List<Object> pairs = new ArrayList<>();
        for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet()) {
          List<Object> pair = new ArrayList<>();
          pair.add(plain(type.asMapType().keyType(), entry.getKey()));
          pair.add(plain(type.asMapType().valueType(), entry.getValue()));
          pairs.add(pair);
        }
        return Map.of("", pairs);  // tells a map from a list of lists
      case DATE:
      case UUID:
        return value.toString();
      default:
        return value;
    }
  }

  private static String hex(byte[] bytes) {
    return java.util.HexFormat.of().formatHex(bytes);
  }

  private static Map<String, Object> row(Types.StructType type, StructLike record) {
    Map<String, Object> row = new LinkedHashMap<>();
    List<Types.NestedField> fields = type.fields();
    for (int i = 0; i < fields.size(); i++) {
      // Position deletes make the reader add _pos and others.
      if (MetadataColumns.isMetadataColumn(fields.get(i).name())) continue;
      row.put(fields.get(i).name(), plain(fields.get(i).type(), record.get(i, Object.class)));
    }
    return row;
  }

  private static Expression filter(Table table, String column, String op, String text) {
    Type type = table.schema().findType(column);
    Object literal = text;
    switch (type.typeId()) {
      case BOOLEAN:
        literal = Boolean.parseBoolean(text);
        break;
      case INTEGER:
      case LONG:
        literal = op.endsWith("null") ? null : Long.parseLong(text);
        break;
      case FLOAT:
      case DOUBLE:
        literal = op.endsWith("null") ? null : Double.parseDouble(text);
        break;
      default:
        break;
    }
    switch (op) {
      case "=":
        return Expressions.equal(column, literal);
      case "<":
        return Expressions.lessThan(column, literal);
      case "<=":
        return Expressions.lessThanOrEqual(column, literal);
      case ">":
        return Expressions.greaterThan(column, literal);
      case ">=":
        return Expressions.greaterThanOrEqual(column, literal);
      case "null":
        return Expressions.isNull(column);
      case "notnull":
        return Expressions.notNull(column);
      default:
        throw new IllegalArgumentException(op);
    }
  }

  public static void main(String[] args) throws Exception {
    Table table = new BaseTable(new StaticTableOperations(args[0], new LocalFiles()), "judged");
    IcebergGenerics.ScanBuilder scan = IcebergGenerics.read(table);
    if (!args[1].equals("-")) scan = scan.useSnapshot(Long.parseLong(args[1]));
    Expression where = Expressions.alwaysTrue();
    for (int i = 2; i + 2 < args.length; i += 3) {
      where = Expressions.and(where, filter(table, args[i], args[i + 1], args[i + 2]));
    }
    ObjectMapper json = new ObjectMapper();
    PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
    try (CloseableIterable<Record> rows = scan.where(where).build()) {
      for (Record record : rows) out.println(json.writeValueAsString(row(record.struct(), record)));
    }
    out.flush();
  }
}
