#include "codec/compression.h"

#include <zlib.h>
#include <zstd.h>

#include "base/format.h"

namespace millrace {

Result<Compression> ParseCompression(std::string_view name) {
  if (name == "none") return Compression::kNone;
  if (name == "gzip") return Compression::kGzip;
  if (name == "zstd") return Compression::kZstd;
  return Fail(ErrorKind::kInvalidInput, "compression '{}' is not one of zstd, gzip, none", name);
}

std::string_view CompressionName(Compression c) {
  switch (c) {
    case Compression::kNone:
      return "none";
    case Compression::kGzip:
      return "gzip";
    case Compression::kZstd:
      return "zstd";
  }
  return "none";
}

std::string_view CompressionSuffix(Compression c) {
  switch (c) {
    case Compression::kNone:
      return "";
    case Compression::kGzip:
      return ".gz";
    case Compression::kZstd:
      return ".zst";
  }
  return "";
}

namespace {

class Copier final : public Compressor {
 public:
  Status Write(std::string_view input, ByteBuffer& out) override {
    out.Append(input);
    return {};
  }
  Status Finish(ByteBuffer&) override { return {}; }
  void Reset() override {}
};

class ZstdCompressor final : public Compressor {
 public:
  explicit ZstdCompressor(int level) : context_(ZSTD_createCCtx()) {
    ZSTD_CCtx_setParameter(context_, ZSTD_c_compressionLevel, level);
    ZSTD_CCtx_setParameter(context_, ZSTD_c_checksumFlag, 1);
  }
  ~ZstdCompressor() override { ZSTD_freeCCtx(context_); }

  Status Write(std::string_view input, ByteBuffer& out) override {
    return Drive({input.data(), input.size(), 0}, ZSTD_e_continue, out);
  }
  Status Finish(ByteBuffer& out) override { return Drive({nullptr, 0, 0}, ZSTD_e_end, out); }
  void Reset() override { ZSTD_CCtx_reset(context_, ZSTD_reset_session_only); }

 private:
  Status Drive(ZSTD_inBuffer input, ZSTD_EndDirective directive, ByteBuffer& out) {
    while (true) {
      const size_t room = ZSTD_CStreamOutSize();
      ZSTD_outBuffer output{out.Space(room), room, 0};
      const size_t left = ZSTD_compressStream2(context_, &output, &input, directive);
      if (ZSTD_isError(left))
        return Fail(ErrorKind::kInternal, "zstd: {}", ZSTD_getErrorName(left));
      out.Advance(output.pos);
      const bool done = directive == ZSTD_e_end ? left == 0 : input.pos == input.size;
      if (done) return {};
    }
  }
  ZSTD_CCtx* context_;
};

class GzipCompressor final : public Compressor {
 public:
  explicit GzipCompressor(int level) {
    // 15 window bits, plus 16 for the gzip wrapper.
    deflateInit2(&stream_, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  }
  ~GzipCompressor() override { deflateEnd(&stream_); }

  Status Write(std::string_view input, ByteBuffer& out) override {
    return Drive(input, Z_NO_FLUSH, out);
  }
  Status Finish(ByteBuffer& out) override { return Drive({}, Z_FINISH, out); }
  void Reset() override { deflateReset(&stream_); }

 private:
  Status Drive(std::string_view input, int flush, ByteBuffer& out) {
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(input.data()));
    stream_.avail_in = static_cast<uInt>(input.size());
    while (true) {
      constexpr size_t kRoom = 64 << 10;
      stream_.next_out = reinterpret_cast<Bytef*>(out.Space(kRoom));
      stream_.avail_out = kRoom;
      const int status = deflate(&stream_, flush);
      if (status == Z_STREAM_ERROR) return Fail(ErrorKind::kInternal, "zlib: deflate failed");
      out.Advance(kRoom - stream_.avail_out);
      if (flush == Z_FINISH ? status == Z_STREAM_END : stream_.avail_in == 0) return {};
    }
  }
  z_stream stream_{};
};

Status DecompressZstd(std::string_view input, ByteBuffer& out) {
  struct Freer {
    void operator()(ZSTD_DCtx* c) const { ZSTD_freeDCtx(c); }
  };
  const std::unique_ptr<ZSTD_DCtx, Freer> context(ZSTD_createDCtx());
  ZSTD_inBuffer from{input.data(), input.size(), 0};
  size_t left = 0;
  while (from.pos < from.size) {
    const size_t room = ZSTD_DStreamOutSize();
    ZSTD_outBuffer to{out.Space(room), room, 0};
    left = ZSTD_decompressStream(context.get(), &to, &from);
    if (ZSTD_isError(left)) return Fail(ErrorKind::kCorrupt, "zstd: {}", ZSTD_getErrorName(left));
    out.Advance(to.pos);
    // A full output buffer may leave decoded bytes inside the context.
    while (to.pos == to.size && left != 0) {
      to = {out.Space(room), room, 0};
      left = ZSTD_decompressStream(context.get(), &to, &from);
      if (ZSTD_isError(left)) return Fail(ErrorKind::kCorrupt, "zstd: {}", ZSTD_getErrorName(left));
      out.Advance(to.pos);
    }
  }
  if (left != 0) return Fail(ErrorKind::kCorrupt, "zstd: the last frame is cut short");
  return {};
}

// window_bits: 15 + 32 detects gzip and zlib headers, -15 is raw deflate.
Status Inflate(std::string_view input, int window_bits, ByteBuffer& out) {
  z_stream stream{};
  if (inflateInit2(&stream, window_bits) != Z_OK)
    return Fail(ErrorKind::kInternal, "zlib: inflateInit failed");
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(input.data()));
  stream.avail_in = static_cast<uInt>(input.size());
  Status result;
  while (true) {
    constexpr size_t kRoom = 64 << 10;
    stream.next_out = reinterpret_cast<Bytef*>(out.Space(kRoom));
    stream.avail_out = kRoom;
    const int status = inflate(&stream, Z_NO_FLUSH);
    out.Advance(kRoom - stream.avail_out);
    if (status == Z_STREAM_END) {
      if (stream.avail_in == 0 || window_bits < 0)
        break;                // raw deflate is one stream, whatever follows
      inflateReset(&stream);  // the next gzip member
    } else if (status != Z_OK) {
      result = Fail(ErrorKind::kCorrupt, "zlib: {}",
                    stream.msg != nullptr ? stream.msg : "the stream is cut short");
      break;
    }
  }
  inflateEnd(&stream);
  return result;
}

}  // namespace

Result<std::unique_ptr<Compressor>> NewCompressor(Compression c, int level) {
  switch (c) {
    case Compression::kNone:
      return std::unique_ptr<Compressor>(new Copier);
    case Compression::kGzip:
      if (level < 1 || level > 9)
        return Fail(ErrorKind::kInvalidInput, "gzip level {} is not within 1..9", level);
      return std::unique_ptr<Compressor>(new GzipCompressor(level));
    case Compression::kZstd:
      if (level < 1 || level > ZSTD_maxCLevel()) {
        return Fail(ErrorKind::kInvalidInput, "zstd level {} is not within 1..{}", level,
                    ZSTD_maxCLevel());
      }
      return std::unique_ptr<Compressor>(new ZstdCompressor(level));
  }
  return Fail(ErrorKind::kInternal, "unknown compression");
}

Status Decompress(Compression c, std::string_view input, ByteBuffer& out) {
  switch (c) {
    case Compression::kNone:
      out.Append(input);
      return {};
    case Compression::kGzip:
      if (input.empty()) return Fail(ErrorKind::kCorrupt, "gzip: empty input");
      return Inflate(input, 15 + 32, out);
    case Compression::kZstd:
      if (input.empty()) return Fail(ErrorKind::kCorrupt, "zstd: empty input");
      return DecompressZstd(input, out);
  }
  return Fail(ErrorKind::kInternal, "unknown compression");
}

Result<std::string> DeflateRaw(std::string_view input) {
  z_stream stream{};
  if (deflateInit2(&stream, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
    return Fail(ErrorKind::kInternal, "zlib: deflateInit failed");
  }
  std::string out(deflateBound(&stream, static_cast<uLong>(input.size())), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(input.data()));
  stream.avail_in = static_cast<uInt>(input.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int status = deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  if (status != Z_STREAM_END) return Fail(ErrorKind::kInternal, "zlib: deflate failed");
  return out;
}

Result<std::string> InflateRaw(std::string_view input) {
  ByteBuffer out;
  MR_TRY(Inflate(input, -15, out));
  return std::string(out.view());
}

}  // namespace millrace
