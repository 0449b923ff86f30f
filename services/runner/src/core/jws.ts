/** A token whose signature and header hold; its payload is parsed JSON and nothing more. */
type OpenedJws = { readonly ok: true; readonly payload: unknown } | { readonly ok: false; readonly reason: string };

/**
 * Opens a compact JWS strictly: Ed25519, exactly the given `typ`, a known `kid`, no other header member, canonical spelling.
 * Refusals name the rule and hold no byte of the token.
 */
export type JwsOpener = (token: string, typ: string, maxChars: number) => Promise<OpenedJws>;
