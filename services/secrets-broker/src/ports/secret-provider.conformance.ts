import type { Reading } from '../core/secret-reading.ts';
import { MAX_SECRET_BYTES, SourceTrouble } from '../core/secret-reading.ts';
import type { SecretProvider } from './secret-provider.ts';

/** A provider together with the power to change what it reads. */
interface ProviderUnderTest {
  readonly provider: SecretProvider;
  /** Reference of the secret that is called `name` (lower snake case) in the functions below. */
  reference(name: string): string;
  put(name: string, value: string): Promise<void>;
  remove(name: string): Promise<void>;
  /** Makes the source unreadable as a whole. */
  breakSource(): Promise<void>;
  close(): Promise<void>;
}

const WAIT_MS = 5_000;

/** The rules of ports/secret-provider.ts, for every implementation. */
export function conformsToSecretProvider(start: () => Promise<ProviderUnderTest>): void {
  let subject: ProviderUnderTest;
  const read = (name: string) => subject.provider.read(subject.reference(name), AbortSignal.timeout(WAIT_MS));
  const text = (reading: Reading) => (reading.outcome === 'found' ? reading.value.reveal() : undefined);

  beforeEach(async () => {
    subject = await start();
  });
  afterEach(() => subject.close());

  it('reads what the source holds', async () => {
    await subject.put('api_key', 'the value');
    expect(text(await read('api_key'))).toBe('the value');
  });

  it('reads afresh each time, and gives a changed value another version', async () => {
    await subject.put('api_key', 'one');
    const before = await read('api_key');
    await subject.put('api_key', 'two');
    const after = await read('api_key');
    expect([text(before), text(after)]).toEqual(['one', 'two']);
    expect(before).not.toHaveProperty('version', after.outcome === 'found' ? after.version : undefined);
  });

  it('says not_found of what the source never had or has no more', async () => {
    await subject.put('other_key', 'x');
    await expect(read('api_key')).resolves.toEqual({ outcome: 'not_found' });
    await subject.put('api_key', 'one');
    await subject.remove('api_key');
    await expect(read('api_key')).resolves.toEqual({ outcome: 'not_found' });
  });

  it('holds values of every script and up to 64 KiB, byte for byte', async () => {
    for (const value of ['pass wörd 鍵 🔑', ' surrounded by space ', '{"a":"b\\n"}', 'x'.repeat(MAX_SECRET_BYTES)]) {
      await subject.put('api_key', value);
      expect(text(await read('api_key'))).toBe(value);
    }
  });

  it('is in trouble, and does not say not_found, when the value is empty or over 64 KiB', async () => {
    for (const value of ['', 'x'.repeat(MAX_SECRET_BYTES + 1)]) {
      await subject.put('api_key', value);
      await expect(read('api_key')).rejects.toBeInstanceOf(SourceTrouble);
    }
  });

  it('is in trouble, and does not say not_found, when the source cannot be read', async () => {
    await subject.put('api_key', 'one');
    await subject.breakSource();
    await expect(read('api_key')).rejects.toBeInstanceOf(SourceTrouble);
    await expect(read('never_there')).rejects.toBeInstanceOf(SourceTrouble);
  });

  it('is in trouble when asked for a reference of another kind, or one that climbs', async () => {
    for (const reference of ['other:api_key', 'file:../api_key', 'vault:secret/../sys#a', 'env:path', '']) {
      await expect(subject.provider.read(reference, AbortSignal.timeout(WAIT_MS))).rejects.toBeInstanceOf(
        SourceTrouble,
      );
    }
  });

  it('shows no value when a reading is printed, nor in the message of its trouble', async () => {
    await subject.put('api_key', 'the-plain-value');
    expect(JSON.stringify(await read('api_key'))).not.toContain('the-plain-value');
    await subject.put('api_key', `the-plain-value${'x'.repeat(MAX_SECRET_BYTES)}`);
    const trouble = await read('api_key').catch((error: unknown) => error);
    expect(String((trouble as Error).stack)).not.toContain('the-plain-value');
  });

  it('finds under its own reference what the chain calls by name', async () => {
    await subject.put('api_key', 'one');
    expect(subject.provider.locate('api_key')).toBe(subject.reference('api_key'));
  });
}
