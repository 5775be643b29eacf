// What a configuration file may say beside its proxies. Proxies and faults have the schemas of the data plane.
import { Type, type Static } from '@sinclair/typebox'
import { proxySpecSchema } from '../../proxy/network.ts'
import { MAX_TTL_MS } from '../../proxy/safety.ts'
import { securityOptionsSchema } from '../security/options.ts'

const { token, tokens, allowedHosts, maxRequestsPerSecond, auditLog } = securityOptionsSchema.properties

/** The server itself. Changes take hold when it is started again. */
export const adminSettingsSchema = Type.Object({
  listen: Type.Optional(
    Type.String({ minLength: 1, description: 'host:port of the API. Default 127.0.0.1:8474; port 0 = any free one.' }),
  ),
  token,
  tokens,
  allowedHosts: Type.Optional(allowedHosts),
  maxRequestsPerSecond: Type.Optional(maxRequestsPerSecond),
  auditLog,
  defaultTtlMs: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: MAX_TTL_MS,
      description:
        'How long faults stay that name no time, in milliseconds. Default: maxTtlMs, or for ever; stressors: a minute.',
    }),
  ),
  maxTtlMs: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: MAX_TTL_MS,
      description:
        'Faults and stressors that are to stay longer, in milliseconds, are refused. Default: any; stressors: 15 minutes.',
    }),
  ),
  filesDirectory: Type.Optional(
    Type.String({
      minLength: 1,
      description: 'The directory of files that faults may send, seen from this file. Default: none is read.',
    }),
  ),
})

export type AdminSettings = Static<typeof adminSettingsSchema>

/** A proxy in the file: its name is its key, and the file's seed is everybody's; no lease would outlive a restart. */
export const proxyFieldsSchema = Type.Omit(proxySpecSchema, ['name', 'seed', 'seedName', 'lease'])

/** A JSON object whose fields are checked by themselves. */
const object = (description: string) => Type.Object({}, { additionalProperties: true, default: {}, description })

export const configSchema = Type.Object({
  $schema: Type.Optional(Type.String({ description: 'For editors.' })),
  seed: Type.Optional(
    Type.Integer({
      minimum: Number.MIN_SAFE_INTEGER,
      maximum: Number.MAX_SAFE_INTEGER,
      description: 'Decides every random choice: the same seed gives the same faults. Default: a random one.',
    }),
  ),
  admin: object('The server itself.'),
  proxies: object('Proxies by their names.'),
})
