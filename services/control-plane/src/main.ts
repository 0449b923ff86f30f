import { runService } from '@alga/chassis';
import { settings } from './config.ts';
import { startControlPlane } from './start.ts';

/** A secret of 64 KiB whose every character is escaped, and the JSON around it. */
const MAX_BODY_BYTES = 512 * 1024;

await runService({
  name: 'control-plane',
  settings,
  maxBodyBytes: () => MAX_BODY_BYTES,
  schemas: [
    'admin-api-key-create',
    'admin-config-put',
    'admin-grants',
    'admin-install-put',
    'admin-path',
    'admin-secret-put',
    'admin-tenant-put',
    'apikey-verify-reply',
    'apikey-verify-request',
    'artifact-resolve-reply',
    'artifact-resolve-request',
    'envelope-claims',
    'event-install-changed',
    'install-config-request',
    'install-resolve-reply',
    'install-resolve-request',
    'manifest',
    'secrets-changed-reply',
    'secrets-changed-request',
    'secrets-material-reply',
    'secrets-material-request',
    'secrets-seal-reply',
    'secrets-seal-request',
    'storage-delete-reply',
    'storage-delete-request',
    'storage-get-reply',
    'storage-get-request',
    'storage-list-reply',
    'storage-list-request',
    'storage-put-reply',
    'storage-put-request',
  ],
  start: startControlPlane,
});
