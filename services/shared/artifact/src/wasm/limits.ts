// How large and how entangled a guest may be. Each limit stands well above what StarlingMonkey (SM), QuickJS (QJS) and C
// guests have, in brackets, and well below what costs a compiler minutes or a process its memory.

const KIB = 1024;
const MIB = 1024 * KIB;

export const LIMITS = {
  /** Read in full several times at publish, and sent to every sandbox that runs it (SM: 12.7 MB). */
  componentBytes: 32 * MIB,
  /** Components within components (QJS: 2). Reading them recurses. */
  componentNesting: 4,
  /** Components altogether (QJS: 4). */
  components: 32,
  /** Each is a file of the artifact, to which the transpiler adds a few; an artifact has at most 64 (QJS: 8). */
  coreModules: 40,
  /** Each is made for every instance of the guest, by glue that nothing interrupts (QJS: 8). */
  coreInstances: 40,
  /** Instances of components, each counted with those inside it: nesting multiplies them (QJS: 3). */
  instances: 128,
  /** Kept with all that they are made of; half a million of two bytes each took up to 118 MB (QJS: 305). */
  componentTypes: 10_000,
  /** Bytes of a component beside its core modules: types, aliases, canonical functions (SM: 20 KB). */
  componentSectionBytes: MIB,
  /** Names and debug information, which no guest needs to run. A build that keeps DWARF goes over it, and can be stripped. */
  customBytes: 4 * MIB,

  /** (SM: 141) */
  types: 10_000,
  /** Every call copies them (SM: 17; V8 stops at 1000). */
  params: 100,
  /** Compilers allot a slot per result at every branch (all: 1). */
  results: 16,
  /** (QJS: 85) */
  imports: 2_000,
  /** (QJS: 70) */
  exports: 2_000,
  /** 900,000 empty functions cost V8 hundreds of MB (SM: 12,658). */
  functions: 100_000,
  /** One function is compiled in one piece that nothing interrupts; 7 MB took seconds (SM: 172 KB). */
  bodyBytes: MIB,
  /** A locals bomb: run-length coded, so that 4 bytes declare 50,000; compile time grows with them (SM: 120). */
  localsPerFunction: 5_000,
  /** 200,000 functions of 50,000 locals, 210 bytes when compressed, compiled for 9 s (SM: 51,842 in all). */
  totalLocals: 500_000,
  /** Readers and compilers keep a frame per block that is open (SM: 464). */
  blockNesting: 2_000,
  /** Compilers merge all locals where control flow meets (SM: 204,800). */
  blocksTimesLocals: 5_000_000,
  /** (SM: 464) */
  branchTargets: 10_000,
  /** Loops, bulk operations: 13 bytes of check for 3 bytes of loop. 10 million took 2 GB and 17 s to patch (SM: 16,579). */
  sites: 250_000,
  /** (all: 1) */
  tables: 4,
  /** Of all core modules of a component; none counts towards the memory that an install may have (all: 2). */
  allTables: 16,
  /** 16 bytes each in V8; also the most that a table may grow to (SM: 7,700). */
  tableElements: 131_072,
  /** 256 MiB: the most that a manifest can ask for. */
  memoryPages: 4_096,
  /** Each mutable one is written on a reset (QJS: 8; shared libraries have one per symbol). */
  globals: 4_096,
  /** Snapshots of initialised guests have one per range that is not zero (SM: 10,000). */
  dataSegments: 20_000,
  /** (all: 1) */
  elementSegments: 1_000,
  /** (SM: 7,936) */
  elements: 262_144,
  /** (all: 7) */
  expressionBytes: 128,
} as const;

/** Of what a memory may grow to, whatever it declares, in pages of 64 KiB. */
export const MAX_MEMORY_PAGES = LIMITS.memoryPages;
