import type { HttpServer } from '@alga/chassis';
import { AlgaError, type Messages, parse } from '@alga/contracts';
import { bearerCredential, hashApiKey, type Principal, refuseAdmin } from '../core/api-key.ts';
import { toError } from '../core/refusal.ts';
import type { AccessStore } from '../ports/access-store.ts';

type Handler = Parameters<HttpServer['route']>[0]['handler'];
type HttpRequest = Parameters<Handler>[0];
type HttpReply = Parameters<Handler>[1];

type BodySchema =
  | 'admin-tenant-put'
  | 'admin-api-key-create'
  | 'admin-install-put'
  | 'admin-config-put'
  | 'admin-grants'
  | 'admin-secret-put';
type PathName = keyof Messages['admin-path'];

/** A request whose key, path and body have been checked. `N`: the names in its path. */
interface AdminRequest<N extends PathName, B> {
  readonly principal: Principal;
  readonly path: Readonly<Record<N, string>>;
  readonly body: B;
  readonly reply: HttpReply;
}

export interface AdminRouter {
  /** A route without a body. What the handler returns is sent as JSON. */
  on<N extends PathName>(
    method: 'GET' | 'POST' | 'DELETE',
    url: string,
    names: readonly N[],
    handle: (request: AdminRequest<N, undefined>) => Promise<unknown>,
  ): void;
  /** A route with a body of the schema. */
  onBody<N extends PathName, S extends BodySchema>(
    method: 'PUT' | 'POST',
    url: string,
    names: readonly N[],
    schema: S,
    handle: (request: AdminRequest<N, Messages[S]>) => Promise<unknown>,
  ): void;
}

/**
 * Admin routes under `/v1/tenants/:tenantId`. Each request is authenticated against the database before its body is read,
 * its identifiers are checked, and its key must administer the tenant in the path.
 */
export function adminRouter(http: HttpServer, access: AccessStore): AdminRouter {
  const principals = new WeakMap<HttpRequest, Principal>();

  const add = (
    method: string,
    url: string,
    handle: (request: HttpRequest, principal: Principal, reply: HttpReply) => Promise<unknown>,
  ) =>
    http.route({
      method,
      url: `/v1/tenants/:tenantId${url}`,
      onRequest: async (request) => {
        principals.set(request, await authenticate(access, request.headers.authorization));
      },
      handler: async (request, reply) => {
        const principal = principals.get(request);
        if (principal === undefined) throw new AlgaError('unauthenticated');
        reply.header('cache-control', 'no-store'); // a new API key is shown in one of them
        return handle(request, principal, reply);
      },
    });

  return {
    on(method, url, names, handle) {
      add(method, url, async (request, principal, reply) =>
        handle({ principal, path: checkedPath(request, principal, names), body: undefined, reply }),
      );
    },
    onBody(method, url, names, schema, handle) {
      add(method, url, async (request, principal, reply) => {
        const path = checkedPath(request, principal, names);
        const body = parse(schema, request.body ?? null);
        if (!body.ok) throw new AlgaError('bad_request', undefined, { errors: body.errors });
        return handle({ principal, path, body: body.value, reply });
      });
    },
  };
}

async function authenticate(access: AccessStore, header: string | undefined): Promise<Principal> {
  const key = bearerCredential(header);
  const principal = key === undefined ? undefined : await access.verify(hashApiKey(key));
  if (principal === undefined) throw new AlgaError('unauthenticated');
  return principal;
}

function checkedPath<N extends PathName>(
  request: HttpRequest,
  principal: Principal,
  names: readonly N[],
): Record<N, string> {
  const path = parse('admin-path', request.params);
  if (!path.ok) throw new AlgaError('bad_request', undefined, { errors: path.errors });
  const { tenantId = '' } = path.value;
  const refused = refuseAdmin(principal, tenantId);
  if (refused !== undefined) throw toError(refused);
  const found: Partial<Record<N, string>> = {};
  for (const name of names) {
    const value = path.value[name];
    if (value === undefined) throw new TypeError(`the route has no parameter ${name}`);
    found[name] = value;
  }
  return found as Record<N, string>;
}
