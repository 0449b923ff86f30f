/** Where randomness comes from: `count` unpredictable bytes. An argument, so that core stays pure. */
export type RandomBytes = (count: number) => Uint8Array;

/** 32 characters, so that the low five bits of a byte choose one without bias. */
const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';

/** Lower-case letters and digits, five bits each. */
export function randomName(length: number, random: RandomBytes): string {
  return Array.from(random(length), (byte) => ALPHABET[byte & 31]).join('');
}
