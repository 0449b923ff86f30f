/* The work of the C guest as an Extism plugin on the raw ABI: reads the request, one secret, answers with a small JSON. */
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

#define HOST(name) __attribute__((import_module("extism:host/env"), import_name(name)))

HOST("input_length") u64 input_length(void);
HOST("input_load_u8") u32 input_load_u8(u64 at);
HOST("input_load_u64") u64 input_load_u64(u64 at);
HOST("alloc") u64 host_alloc(u64 bytes);
HOST("length") u64 host_length(u64 at);
HOST("load_u8") u32 host_load_u8(u64 at);
HOST("store_u8") void host_store_u8(u64 at, u32 byte);
HOST("store_u64") void host_store_u64(u64 at, u64 bytes);
HOST("output_set") void output_set(u64 at, u64 bytes);
__attribute__((import_module("extism:host/user"), import_name("secret_get"))) u64 secret_get(u64 key);

static u8 input[65536];
static u8 output[256];
static u32 used;

static void put(const char *text) {
  while (*text) output[used++] = *text++;
}

static u64 to_host(const u8 *bytes, u32 length) {
  u64 at = host_alloc(length);
  u32 done = 0;
  for (; done + 8 <= length; done += 8) host_store_u64(at + done, *(u64 *)(bytes + done));
  for (; done < length; done++) host_store_u8(at + done, bytes[done]);
  return at;
}

static u32 read_input(void) {
  u32 length = input_length(), done = 0;
  if (length > sizeof input) __builtin_trap();
  for (; done + 8 <= length; done += 8) *(u64 *)(input + done) = input_load_u64(done);
  for (; done < length; done++) input[done] = input_load_u8(done);
  return length;
}

/* The number after "n=" in the member "url". */
static u32 wanted(u32 length) {
  static const u8 name[] = "\"url\":\"";
  u32 at = 0, matched = 0;
  while (at < length && matched < sizeof name - 1) matched = input[at++] == name[matched] ? matched + 1 : 0;
  while (at < length && input[at] != '=' && input[at] != '"') at++;
  u32 number = 0;
  for (at++; at < length && input[at] >= '0' && input[at] <= '9'; at++) number = number * 10 + input[at] - '0';
  return number;
}

__attribute__((export_name("handle"))) u32 handle(void) {
  u32 reads = wanted(read_input());
  for (u32 index = 0; index < reads; index++) {
    u64 secret = secret_get(to_host((const u8 *)"api_key", 7));
    u64 length = host_length(secret);
    for (u64 at = 0; at < length; at++) output[at] = host_load_u8(secret + at);
  }
  put("{\"read\":");
  output[used++] = '0' + reads % 10;
  put("}");
  output_set(to_host(output, used), used);
  return 0;
}
