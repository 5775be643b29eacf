// What a proxy with protocol postgres can be told beyond what all can.
import { Type } from '@sinclair/typebox'
import { busyPollMicros } from '../../busy-poll.ts'
import { FaultlineError } from '../../errors.ts'
import type { ProtocolOptions } from '../protocol.ts'
import type { TlsMode, TlsSetup } from './encryption.ts'
import { clientContextFor, secureContextFor } from './tls-identity.ts'
import type { TlsVerification } from './tls.ts'

/** Prepared once for all connections of a proxy. */
export interface PostgresOptions {
  readonly tls: TlsSetup
}

const pem = (description: string, more: { readonly writeOnly?: true } = {}) =>
  Type.Optional(Type.String({ minLength: 1, description, ...more }))

export const postgresOptions = {
  busyPollMicros: Type.Optional(busyPollMicros()),
  tls: Type.Union(
    [Type.Literal('passthrough'), Type.Literal('terminate'), Type.Literal('client_only'), Type.Literal('server_only')],
    {
      default: 'passthrough',
      description:
        'passthrough: between client and server, so that statement faults can not act where it is used. terminate: ends ' +
        'here, with the server there is another. client_only, server_only: only on that side.',
    },
  ),
  tlsCertificate: pem('What clients are shown, in PEM; default: one that is made for the occasion.'),
  tlsKey: pem('The key of tlsCertificate, in PEM. Never shown.', { writeOnly: true }),
  tlsCa: pem("Who may sign the server's certificate, in PEM, or `system`; for tlsVerify."),
  tlsVerify: Type.Union([Type.Literal('none'), Type.Literal('ca'), Type.Literal('full')], {
    default: 'none',
    description: "Of the server's certificate: nothing, who signed it, or that and its name.",
  }),
}

interface Given {
  readonly tls: TlsMode
  readonly tlsCertificate?: string
  readonly tlsKey?: string
  readonly tlsCa?: string
  readonly tlsVerify: TlsVerification
}

/** @throws FaultlineError naming the option that can't work, or would be ignored */
export function prepareOptions(options: ProtocolOptions): PostgresOptions {
  const given = options as unknown as Given
  const { tls: mode, tlsCertificate, tlsKey, tlsCa, tlsVerify } = given
  const withClients = mode === 'terminate' || mode === 'client_only'
  const withServer = mode === 'terminate' || mode === 'server_only'
  for (const field of ['tlsCertificate', 'tlsKey'] as const) {
    if (!withClients && given[field] !== undefined) throw ignored(field, 'terminate or client_only')
  }
  if (!withServer && tlsCa !== undefined) throw ignored('tlsCa', 'terminate or server_only')
  if (!withServer && tlsVerify !== 'none') throw ignored('tlsVerify', 'terminate or server_only')
  if (tlsVerify === 'none' && tlsCa !== undefined) throw ignored('tlsCa', 'tlsVerify: ca or full')
  if (tlsVerify !== 'none' && tlsCa === undefined) throw nobodyTrusted(tlsVerify)
  return {
    tls: {
      mode,
      identity: withClients
        ? secureContextFor(
            {
              ...(tlsCertificate !== undefined && { certificate: tlsCertificate }),
              ...(tlsKey !== undefined && { key: tlsKey }),
            },
            'tls',
          )
        : undefined,
      clientContext: withServer ? clientContextFor({ ...(tlsCa !== undefined && { ca: tlsCa }) }, 'tls') : undefined,
      verify: tlsVerify,
    },
  }
}

function ignored(field: string, needs: string): FaultlineError {
  const expected = `nothing without ${needs.includes(':') ? needs : `tls: ${needs}`}`
  return new FaultlineError('invalid_value', `${field}: expected ${expected}`, { field, expected })
}

function nobodyTrusted(tlsVerify: TlsVerification): FaultlineError {
  const expected = 'who may sign the server\'s certificate, in PEM, or "system"'
  const message = `tlsCa: missing, expected ${expected}, as tlsVerify: ${tlsVerify} needs it`
  return new FaultlineError('missing_field', message, { field: 'tlsCa', expected })
}
