/** One stored value, in bytes. `storage-entry` in the contracts says the same in base64. */
export const MAX_VALUE_BYTES = 128 * 1024;
export const MAX_KEYS_PER_INSTALL = 1_000;
export const MAX_BYTES_PER_INSTALL = 16 * 1024 * 1024;
/** Values in one page of a listing, in bytes: with base64 and the keys it stays below a message of 1 MiB. */
export const MAX_PAGE_BYTES = 512 * 1024;
