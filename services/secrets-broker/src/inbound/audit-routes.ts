import type { HttpServer } from '@alga/chassis';
import { AlgaError, type ApikeyVerifyReply, parse } from '@alga/contracts';
import type { AuditFilter, AuditRow, ChainVerdict } from '../core/audit-chain.ts';

const DEFAULT_LIMIT = 100;
const BEARER = /^Bearer ([A-Za-z0-9_-]{16,256})$/i;

interface AuditParts {
  verifyKey(apiKey: string): Promise<ApikeyVerifyReply>;
  read(filter: AuditFilter): Promise<AuditRow[]>;
  verify(): Promise<ChainVerdict>;
}

/** `GET /v1/audit` and `GET /v1/audit/verify`, for the platform's operators. */
export function addAuditRoutes(http: HttpServer, parts: AuditParts): void {
  http.get('/v1/audit', async (request) => {
    await requireOperator(request.headers.authorization, parts);
    const query = parse('audit-query', request.query);
    if (!query.ok) throw new AlgaError('bad_request', undefined, { errors: query.errors });
    const { after, limit, ...filter } = query.value;
    const entries = await orUnavailable(
      parts.read({ ...filter, after: Number(after ?? 0), limit: Number(limit ?? DEFAULT_LIMIT) }),
    );
    const last = entries.at(-1);
    return { entries, ...(last === undefined ? {} : { nextAfter: last.seq }) };
  });

  http.get('/v1/audit/verify', async (request) => {
    await requireOperator(request.headers.authorization, parts);
    return orUnavailable(parts.verify());
  });
}

/** The log spans all tenants: a tenant's own key does not open it, whatever its scopes. */
async function requireOperator(authorization: string | undefined, parts: AuditParts): Promise<void> {
  const apiKey = BEARER.exec(authorization ?? '')?.[1];
  if (apiKey === undefined) throw new AlgaError('unauthenticated');
  const { tenantId, scopes } = await parts.verifyKey(apiKey);
  if (tenantId !== undefined || !scopes.includes('operator')) {
    throw new AlgaError('forbidden', 'This needs an operator key of the platform.');
  }
}

async function orUnavailable<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    throw new AlgaError('unavailable', 'The audit log cannot be read.', { cause });
  }
}
