// What makes an experiment file a scenario: what it is called and sorted by, and which of its values are parameters. Those
// stand in it as variables do, `${NAME}`.
import { Type } from '@sinclair/typebox'

export const parameterTypes = ['text', 'duration', 'integer', 'number', 'share', 'rate'] as const

export type ParameterType = (typeof parameterTypes)[number]

const words = <const Word extends string>(description: string, all: readonly Word[]) =>
  Type.Union(
    all.map((word) => Type.Literal(word)),
    { description },
  )

const value = (description: string) => Type.Optional(Type.Union([Type.String(), Type.Number()], { description }))

export const parameterSchema = Type.Object({
  description: Type.String({ minLength: 1, description: 'What it is for.' }),
  type: Type.Optional(words('Default text.', parameterTypes)),
  default: value('Taken if nothing else is given. Default: it has to be given.'),
  minimum: value('The least that it may be, as the type has it. Default: as the field that it stands in.'),
  maximum: value('The most that it may be.'),
})

export const categories = ['resource', 'network', 'dependency', 'database', 'component', 'hypothesis'] as const

export const scenarioSchema = Type.Object(
  {
    name: Type.String({
      pattern: '^[a-z0-9]+(-[a-z0-9]+)*$',
      expected: 'lower-case words with hyphens between them',
      description: 'What it is run by.',
    }),
    category: words('What it disturbs.', categories),
    complexity: words('How much of the system it needs to know.', ['basic', 'intermediate', 'advanced']),
    severity: words('How hard it is.', ['light', 'medium', 'heavy']),
    parameters: Type.Optional(
      Type.Record(Type.String({ pattern: '^[A-Z][A-Z0-9_]*$' }), parameterSchema, {
        description: 'By the names of the variables that stand for them.',
      }),
    ),
  },
  { description: 'Makes the file a scenario, which is run with parameters.' },
)
