// /v1/experiments and /v1/recovery: experiments on the server's own network, and what came of them.
import { Type, type Static } from '@sinclair/typebox'
import type { FastifyInstance, FastifyReply } from 'fastify'
import type { Journal } from '../../experiments/index.ts'
import { metricNames } from '../../experiments/results/metric-names.ts'
import { describeRoute } from '../openapi/operation.ts'
import { callerOf } from '../security/auth.ts'
import { Refusal } from '../security/refusal.ts'
import type { Experiments } from './experiment-runs.ts'
import { viewPlan, viewRecovery } from './experiment-views.ts'

const tag = 'experiments'

const params = Type.Object({ experiment: Type.String({ description: "An experiment's id." }) })

type ExperimentPath = Static<typeof params>

const createQuery = Type.Object({
  start: Type.Optional(
    Type.Union([Type.Literal('true'), Type.Literal('false')], {
      description: 'Whether it is started, too. Default false.',
    }),
  ),
})

const contentTypes = {
  json: 'application/json',
  markdown: 'text/markdown; charset=utf-8',
  html: 'text/html; charset=utf-8',
  junit: 'application/xml',
  prometheus: 'text/plain; version=0.0.4; charset=utf-8',
} as const

type Format = keyof typeof contentTypes

const resultsQuery = Type.Object({
  format: Type.Optional(
    Type.Union(
      Object.keys(contentTypes).map((name) => Type.Literal(name as Format)),
      { description: 'Default json.' },
    ),
  ),
  metricNames: Type.Optional(
    Type.Union(
      metricNames.map((name) => Type.Literal(name)),
      { description: 'Of the format prometheus. Default lint: what promtool has nothing against.' },
    ),
  ),
})

/** A report is a page of its own: what is in it reaches neither this API nor any other place. */
const REPORT_POLICY =
  "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"

export function experimentRoutes(app: FastifyInstance, experiments: Experiments): void {
  app.get(
    '/experiments',
    describeRoute({
      id: 'listExperiments',
      tag,
      summary: 'Experiments that are there: the latest 100',
      answers: { 200: 'ExperimentList' },
    }),
    () => ({ experiments: experiments.list.map((experiment) => experiment.view()) }),
  )

  app.post<{ Querystring: Static<typeof createQuery> }>(
    '/experiments',
    describeRoute({
      id: 'createExperiment',
      tag,
      summary: 'Checks an experiment, and keeps it to be started',
      description:
        'Probes that start programs are refused, unless the server was started with --experiment-programs; so are webhooks, unless with --experiment-webhooks.',
      query: createQuery,
      body: 'ExperimentSpec',
      answers: { 201: 'Experiment' },
      errors: [400, 403, 422, 423, 429],
    }),
    async (request, reply) => {
      const experiment = await experiments.create(request.body, callerOf(request))
      if (request.query.start === 'true') {
        try {
          await experiments.start(experiment)
        } catch (error) {
          await experiments.remove(experiment) // an error has changed nothing
          throw error
        }
      }
      return reply.code(201).header('location', `/v1/experiments/${experiment.id}`).send(experiment.view())
    },
  )

  app.get<{ Params: ExperimentPath }>(
    '/experiments/:experiment',
    describeRoute({
      id: 'getExperiment',
      tag,
      summary: 'One experiment, and how far it is',
      params,
      answers: { 200: 'Experiment' },
      errors: [404],
    }),
    ({ params: path }) => experiments.require(path.experiment).view(),
  )

  app.delete<{ Params: ExperimentPath }>(
    '/experiments/:experiment',
    describeRoute({
      id: 'removeExperiment',
      tag,
      summary: 'Stops an experiment, and forgets it',
      params,
      answers: { 204: null },
      errors: [404],
    }),
    async ({ params: path }, reply) => {
      await experiments.remove(experiments.require(path.experiment))
      return reply.code(204).send()
    },
  )

  app.get<{ Params: ExperimentPath }>(
    '/experiments/:experiment/plan',
    describeRoute({
      id: 'planExperiment',
      tag,
      summary: 'What every step would do now, and its blast radius: nothing is touched',
      params,
      answers: { 200: 'ExperimentPlan' },
      errors: [404, 422, 423],
    }),
    async ({ params: path }) => viewPlan(await experiments.plan(experiments.require(path.experiment))),
  )

  app.post<{ Params: ExperimentPath }>(
    '/experiments/:experiment/approve',
    describeRoute({
      id: 'approveExperiment',
      tag,
      summary: 'Lets an experiment act in production',
      description: 'By another token than that of whoever has created it.',
      params,
      answers: { 200: 'Experiment' },
      errors: [403, 404, 409],
    }),
    (request) => {
      const experiment = experiments.require(request.params.experiment)
      experiment.approve(callerOf(request))
      return experiment.view()
    },
  )

  app.post<{ Params: ExperimentPath }>(
    '/experiments/:experiment/start',
    describeRoute({
      id: 'startExperiment',
      tag,
      summary: 'Starts an experiment; 3 run at a time, others wait',
      description: 'Answered when it may run. In production it has to be approved first. Each runs once.',
      params,
      answers: { 202: 'Experiment' },
      errors: [403, 404, 409, 422, 423],
    }),
    async ({ params: path }, reply) => {
      const experiment = experiments.require(path.experiment)
      await experiments.start(experiment)
      return reply.code(202).send(experiment.view())
    },
  )

  app.post<{ Params: ExperimentPath }>(
    '/experiments/:experiment/stop',
    describeRoute({
      id: 'stopExperiment',
      tag,
      summary: 'Stops an experiment',
      description: 'Answered when everything is reverted.',
      params,
      answers: { 200: 'Experiment' },
      errors: [404],
    }),
    async ({ params: path }) => {
      const experiment = experiments.require(path.experiment)
      await experiment.stop('stopped over the API')
      return experiment.view()
    },
  )

  app.get<{ Params: ExperimentPath; Querystring: Static<typeof resultsQuery> }>(
    '/experiments/:experiment/results',
    describeRoute({
      id: 'getExperimentResults',
      tag,
      summary: 'The journal of an experiment that has run, or a report of it',
      params,
      query: resultsQuery,
      answers: {
        200: {
          'application/json': 'ExperimentResults',
          'text/markdown': 'ExperimentReport',
          'text/html': 'ExperimentReport',
          'application/xml': 'ExperimentReport',
          'text/plain': 'ExperimentReport',
        },
      },
      errors: [400, 404, 409],
    }),
    ({ params: path, query }, reply) => sendResults(reply, experiments.require(path.experiment).journal, query),
  )

  app.get<{ Params: ExperimentPath }>(
    '/recovery/:experiment',
    describeRoute({
      id: 'getRecovery',
      tag,
      summary: 'Whether and how an experiment that has run has ended well for the system',
      params,
      answers: { 200: 'Recovery' },
      errors: [404, 409],
    }),
    ({ params: path }) => viewRecovery(path.experiment, experiments.require(path.experiment).journal),
  )
}

async function sendResults(
  reply: FastifyReply,
  journal: Journal,
  { format = 'json', metricNames: names }: Static<typeof resultsQuery>,
): Promise<FastifyReply> {
  if (names !== undefined && format !== 'prometheus') {
    const expected = 'none beside a format other than prometheus'
    const about = { field: 'metricNames', expected }
    throw new Refusal(400, 'invalid_value', `metricNames: expected ${expected}, got "${names}"`, about)
  }
  if (format === 'json') return reply.send(journal)
  const { formatOf } = await import('../../experiments/results/formats.ts')
  if (format === 'html') reply.header('content-security-policy', REPORT_POLICY)
  return reply.type(contentTypes[format]).send(await formatOf(format).render(journal, { metricNames: names }))
}
