// What the `admin` section of a configuration means for the server and its network.
import { resolve } from 'node:path'
import type { NetworkOptions } from '../../proxy/index.ts'
import type { SecurityOptions } from '../security/options.ts'
import type { AdminSettings } from './schema.ts'

type Limits = Pick<NetworkOptions, 'defaultTtlMs' | 'maxTtlMs'>

/** Limits of times to live. */
export function limitsOf({ defaultTtlMs, maxTtlMs }: Limits): Limits {
  return { ...(defaultTtlMs !== undefined && { defaultTtlMs }), ...(maxTtlMs !== undefined && { maxTtlMs }) }
}

/** What concerns requests. */
export function securityOf(settings: AdminSettings): SecurityOptions {
  const { token, tokens, allowedHosts, maxRequestsPerSecond, auditLog } = settings
  return {
    ...(token !== undefined && { token }),
    ...(tokens !== undefined && { tokens }),
    ...(allowedHosts !== undefined && { allowedHosts }),
    ...(maxRequestsPerSecond !== undefined && { maxRequestsPerSecond }),
    ...(auditLog !== undefined && { auditLog }),
  }
}

/** Paths as they are meant: seen from the file that has them. */
export function resolvePaths(settings: AdminSettings, folder: string): AdminSettings {
  const { auditLog, filesDirectory } = settings
  return {
    ...settings,
    ...(auditLog !== undefined && { auditLog: auditLog === '-' ? auditLog : resolve(folder, auditLog) }),
    ...(filesDirectory !== undefined && { filesDirectory: resolve(folder, filesDirectory) }),
  }
}
