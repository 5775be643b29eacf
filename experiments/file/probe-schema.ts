// What an experiment file may say of probes: what is asked, and what the answer has to be like.
import { Type, type TObject, type TProperties } from '@sinclair/typebox'
import { patternSchema } from '../../proxy/pattern.ts'
import { phaseNames } from '../model.ts'
import { comparisonSchema, durationSchema, rateSchema } from './units.ts'

const timeout = Type.Optional(durationSchema('After this it is a failure. Default 5s.'))
const headers = Type.Optional(Type.Record(Type.String(), Type.String(), { description: 'Sent with each request.' }))

const tls = Type.Optional(
  Type.Object(
    {
      ca: Type.Optional(Type.String({ description: 'PEM; trusted instead of the well-known authorities.' })),
      cert: Type.Optional(Type.String({ description: 'PEM; shown to the server, with key.' })),
      key: Type.Optional(Type.String({ description: 'PEM.', writeOnly: true })),
      servername: Type.Optional(Type.String({ description: "Asked for instead of the URL's host." })),
      insecure: Type.Optional(Type.Boolean({ description: 'Takes any certificate. Default false.' })),
    },
    { description: 'For connections with TLS.' },
  ),
)

const text = (description: string) => Type.String({ minLength: 1, description })

const argv = Type.Array(Type.String(), {
  minItems: 1,
  expected: 'an array with a program and its arguments',
  description: 'The program and its arguments, each as it is: there is no shell.',
})

/** What is asked, by the kind of probe. Where there is a short form, it is a union with it. */
export const probeSchemas = {
  http: Type.Union(
    [
      text('The URL.'),
      Type.Object({
        url: text('http: or https:.'),
        method: Type.Optional(text('Default GET.')),
        headers,
        body: Type.Optional(Type.String({ description: 'Sent with each request.' })),
        connections: Type.Optional(
          Type.Union([Type.Literal('kept'), Type.Literal('fresh')], {
            description: 'kept: as most clients do. fresh: each request connects anew. Default kept.',
          }),
        ),
        timeout,
        tls,
      }),
    ],
    { description: 'Asks an HTTP server.', expected: 'a URL or an object with one' },
  ),
  tcp: Type.Union(
    [
      text('host:port.'),
      Type.Object({
        address: text('host:port.'),
        send: Type.Optional(Type.String({ description: 'Sent at once, e.g. "PING\\r\\n".' })),
        timeout,
      }),
    ],
    { description: 'Connects to a TCP port.', expected: 'host:port or an object with an address' },
  ),
  process: Type.Union(
    [
      argv,
      Type.Object({
        argv,
        env: Type.Optional(
          Type.Record(Type.String(), Type.String(), { description: 'Beside the environment of this process.' }),
        ),
        workingDirectory: Type.Optional(text('Default: that of this process.')),
        timeout,
      }),
    ],
    { description: 'Runs a program, without a shell.', expected: 'an array or an object with argv' },
  ),
  sql: Type.Object(
    {
      url: text('postgres://user:password@host:port/database.'),
      query: text('Its first column of the first row is looked at.'),
      values: Type.Optional(Type.Array(Type.Unknown(), { description: 'For $1 and so on.' })),
      maxConnections: Type.Optional(
        Type.Integer({ minimum: 1, maximum: 100, description: 'Queries that overlap need one each. Default 4.' }),
      ),
      timeout,
      tls,
    },
    { description: 'Asks a Postgres server.' },
  ),
  promql: Type.Object(
    {
      url: text("Of the Prometheus server, with its path's prefix."),
      query: text('Has to come to one number.'),
      headers,
      timeout,
      tls,
    },
    { description: 'Asks a Prometheus server.' },
  ),
} as const

export type ProbeKind = keyof typeof probeSchemas

export const probeKinds = Object.keys(probeSchemas) as readonly ProbeKind[]

const number = (description: string) => Type.Optional(comparisonSchema('number', description))

const jsonPathItem = Type.Object({
  path: text('RFC 9535, e.g. $.orders[0].state.'),
  equals: Type.Optional(Type.Unknown({ description: 'What it has to select.' })),
  value: number('How the number that it selects has to compare.'),
})

const jsonPath = Type.Optional(
  Type.Union([jsonPathItem, Type.Array(jsonPathItem)], {
    description: 'What the JSON has to have.',
    expected: 'an object with a path, or an array of them',
  }),
)

const pattern = (description: string) => Type.Optional({ ...patternSchema, description, expected: 'a pattern' })

const status = Type.Integer({ minimum: 100, maximum: 599 })
const exitCode = Type.Integer({ minimum: 0, maximum: 255 })

/** What all probes together have to keep, whatever each answer has to be like. */
const aggregates: TProperties = {
  p50: Type.Optional(comparisonSchema('duration', 'Of all attempts in the failure phase.')),
  p95: Type.Optional(comparisonSchema('duration', 'Of all attempts in the failure phase.')),
  p99: Type.Optional(comparisonSchema('duration', 'Of all attempts in the failure phase.')),
  errorRate: Type.Optional(comparisonSchema('share', 'Failed of all attempts in the failure phase.')),
  availability: Type.Optional(comparisonSchema('share', 'Good of all attempts in the failure phase.')),
}

export const aggregateNames = ['p50', 'p95', 'p99', 'errorRate', 'availability'] as const

export type AggregateName = (typeof aggregateNames)[number]

const single: Readonly<Record<ProbeKind, TProperties>> = {
  http: {
    status: Type.Optional(
      Type.Union([status, Type.Array(status, { minItems: 1 }), Type.Literal('any')], {
        description: 'One, some, or any. Default 200 to 299.',
        expected: 'a status, an array of them, or any',
      }),
    ),
    headers: Type.Optional(Type.Record(Type.String(), patternSchema, { description: 'By name, in any case.' })),
    bodyMatches: pattern('A text that is anywhere in the body, or a regular expression between slashes.'),
    jsonPath,
  },
  tcp: { banner: pattern('What the server says has this in it.') },
  process: {
    exitCode: Type.Optional(
      Type.Union([exitCode, Type.Array(exitCode, { minItems: 1 }), Type.Literal('any')], {
        description: 'Default 0.',
        expected: 'an exit code, an array of them, or any',
      }),
    ),
    stdoutMatches: pattern('The standard output has this in it.'),
    jsonPath,
    value: number('The standard output is a number that compares so.'),
  },
  sql: {
    rows: number('How many rows there are.'),
    value: number('The value is a number that compares so.'),
    equals: Type.Optional(Type.Unknown({ description: 'The value is this.' })),
  },
  promql: { value: number('How the number has to compare.') },
}

/** Kinds of which a mere value may be expected, and how errors say so. */
export const scalarExpectations: Readonly<Partial<Record<ProbeKind, string>>> = {
  sql: 'a value, a comparison, or an object',
  promql: 'a number, a comparison, or an object',
}

/** What is expected, by the kind of probe. */
export const expectSchemas = Object.fromEntries(
  probeKinds.map((kind) => [kind, Type.Object(Object.assign({}, single[kind], aggregates))]),
) as Readonly<Record<ProbeKind, TObject>>

const askable = Object.fromEntries(probeKinds.map((kind) => [kind, Type.Optional(probeSchemas[kind])])) as unknown as {
  readonly [Kind in ProbeKind]: (typeof probeSchemas)[Kind]
}

const maxOutstanding = Type.Optional(
  Type.Integer({
    minimum: 1,
    maximum: 10_000,
    description: 'So many may be under way; those beyond are dropped, and count as failed. Default 100.',
  }),
)

const phases = phaseNames.filter((name) => name !== 'preparation' && name !== 'analysis')

export const steadyStateSchema = Type.Object({
  name: text('Unique; stands in reports.'),
  http: Type.Optional(askable.http),
  tcp: Type.Optional(askable.tcp),
  process: Type.Optional(askable.process),
  sql: Type.Optional(askable.sql),
  promql: Type.Optional(askable.promql),
  expect: Type.Optional(Type.Unknown({ description: 'What the answer has to be like, by the kind of probe.' })),
  rate: Type.Optional(rateSchema('How often it is asked, whether answers come or not. Default 1/s.')),
  at: Type.Optional(
    Type.Array(Type.Union(phases.map((name) => Type.Literal(name))), {
      minItems: 1,
      expected: `an array of ${phases.join(', ')}`,
      description: 'Phases in which it is asked. Default: baseline to validation.',
    }),
  ),
  settle: Type.Optional(
    durationSchema(
      'What it expects of all attempts together counts from so long after the begin of the failure phase. Default: from the begin.',
    ),
  ),
  maxOutstanding,
})

export const metricSchema = Type.Object(
  {
    name: text('Unique; stands in reports and in abortWhen.'),
    promql: Type.Optional(askable.promql),
    http: Type.Optional(askable.http),
    jsonPath: Type.Optional(text('Of what http answers: RFC 9535, e.g. $.queue.depth. Has to select one number.')),
    every: Type.Optional(durationSchema('How often it is asked. Default 1s.')),
  },
  { description: 'A number that is looked at beside the run.' },
)

export const loadSchema = Type.Object(
  {
    http: Type.Optional(askable.http),
    tcp: Type.Optional(askable.tcp),
    process: Type.Optional(askable.process),
    sql: Type.Optional(askable.sql),
    promql: Type.Optional(askable.promql),
    rate: rateSchema('How often, whether answers come or not.'),
    ramp: Type.Optional(durationSchema('The rate grows to its full height in this time. Default: at once.')),
    rampFrom: Type.Optional(rateSchema('What the rate grows from. Default: nothing.')),
    maxOutstanding,
  },
  { description: 'Requests that are made at a rate and not measured.' },
)
