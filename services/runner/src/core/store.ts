/** What the caches here need of a bounded map; which one, and its bound, is chosen in main. */
export interface Store<V> {
  get(key: string): V | undefined;
  set(key: string, value: V): unknown;
  delete(key: string): unknown;
}
