// /v1/scenarios: the library of scenarios and suites. One is run by POST /v1/experiments, with its parameters.
import { Type, type Static } from '@sinclair/typebox'
import type { FastifyInstance } from 'fastify'
import { parameterSchema } from '../../experiments/file/scenario-schema.ts'
import type { Scenario } from '../../experiments/scenarios/index.ts'
import { describeRoute } from '../openapi/operation.ts'
import { Refusal } from '../security/refusal.ts'

const tag = 'experiments'

const params = Type.Object({ scenario: Type.String({ description: 'The name of a scenario.' }) })

export const scenarioViewSchema = Type.Object({
  name: Type.String(),
  title: Type.String(),
  description: Type.String(),
  category: Type.String({ description: 'What it disturbs.' }),
  complexity: Type.String(),
  severity: Type.String(),
  parameters: Type.Record(Type.String(), parameterSchema),
  file: Type.String({ description: 'As an experiment file.' }),
})

export const scenarioListSchema = Type.Object({
  scenarios: Type.Array(scenarioViewSchema),
  suites: Type.Array(
    Type.Object({
      name: Type.String(),
      description: Type.String(),
      scenarios: Type.Array(Type.String(), { description: 'Names, in the order in which they are run.' }),
    }),
  ),
})

export function scenarioRoutes(app: FastifyInstance): void {
  app.get(
    '/scenarios',
    describeRoute({
      id: 'listScenarios',
      tag,
      summary: 'Scenarios that are ready, and suites of them',
      answers: { 200: 'ScenarioList' },
    }),
    async () => {
      const { scenarios, suites } = await import('../../experiments/scenarios/index.ts')
      return { scenarios: [...scenarios.values()].map(viewScenario), suites: [...suites.values()] }
    },
  )

  app.get<{ Params: Static<typeof params> }>(
    '/scenarios/:scenario',
    describeRoute({
      id: 'getScenario',
      tag,
      summary: 'One scenario, with its parameters',
      params,
      answers: { 200: 'Scenario' },
      errors: [404],
    }),
    async ({ params: { scenario: name } }) => {
      const { scenarios } = await import('../../experiments/scenarios/index.ts')
      const scenario = scenarios.get(name)
      if (scenario) return viewScenario(scenario)
      throw new Refusal(404, 'scenario_not_found', `there is no scenario named "${name}"`)
    },
  )
}

function viewScenario(scenario: Scenario): Static<typeof scenarioViewSchema> {
  const { name, title, description, category, complexity, severity, parameters, text } = scenario
  return { name, title, description, category, complexity, severity, parameters: { ...parameters }, file: text }
}
