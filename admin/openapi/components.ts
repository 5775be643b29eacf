// The schemas that the OpenAPI document names: of what is sent, from the registry and the data plane's own schemas; of
// what is answered, from the routes'.
import type { TSchema } from '@sinclair/typebox'
import { proxySpecSchema } from '../../proxy/network.ts'
import { faultChangeSchema, faultSpecSchema } from '../../proxy/installed-fault.ts'
import { leaseSpecSchema } from '../../proxy/leases.ts'
import { partitionSpecSchema } from '../../proxy/partition.ts'
import { protocols } from '../../proxy/protocols/registry.ts'
import { proxyChangeSchema } from '../../proxy/proxy-settings.ts'
import { problemSchema } from '../errors.ts'
import { feedEntrySchema } from '../feed/entry.ts'
import { connectionListSchema, connectionSchema } from '../routes/connections.ts'
import { dialSchema, dialSpecSchema } from '../routes/dials.ts'
import { eventListSchema } from '../routes/events.ts'
import {
  experimentListSchema,
  experimentPlanSchema,
  experimentResultsSchema,
  experimentSchema,
  experimentSpecSchema,
  recoverySchema,
} from '../routes/experiment-views.ts'
import { faultTypeListSchema, faultTypeSchema } from '../routes/fault-types.ts'
import { injectionListSchema, injectionSchema } from '../routes/injections.ts'
import { leaseListSchema, leaseSchema } from '../routes/leases.ts'
import { partitionListSchema, partitionSchema } from '../routes/partitions.ts'
import { proxyListSchema } from '../routes/proxies.ts'
import { scenarioListSchema, scenarioViewSchema } from '../routes/scenarios.ts'
import { statusAfterEndSchema } from '../routes/safety.ts'
import { statusSchema } from '../routes/status.ts'
import { stressorTypeListSchema, stressorTypeSchema } from '../routes/stressor-types.ts'
import { stressorListSchema, stressorSchema } from '../routes/stressor-views.ts'
import { faultListSchema, faultSchema, proxySchema } from '../routes/views.ts'
import type { ComponentName } from './component-name.ts'
import { describeFaultTypes, matchSchemas, type FaultTypeView } from './fault-types.ts'
import { toJsonSchema, type JsonSchema } from './json-schema.ts'
import { reference } from './operation.ts'
import { describeStressorTypes, stressorSpecOf } from './stressor-types.ts'

const inputs: Partial<Record<ComponentName, TSchema>> = {
  DialSpec: dialSpecSchema,
  ExperimentSpec: experimentSpecSchema,
  FaultChange: faultChangeSchema,
  LeaseSpec: leaseSpecSchema,
  PartitionSpec: partitionSpecSchema,
  ProxyChange: proxyChangeSchema,
}

/** Of what is answered, by name. */
export const answerSchemas = {
  Connection: connectionSchema,
  ConnectionList: connectionListSchema,
  Dial: dialSchema,
  EventList: eventListSchema,
  Experiment: experimentSchema,
  ExperimentList: experimentListSchema,
  ExperimentPlan: experimentPlanSchema,
  ExperimentResults: experimentResultsSchema,
  Fault: faultSchema,
  FaultList: faultListSchema,
  FaultType: faultTypeSchema,
  FaultTypeList: faultTypeListSchema,
  FeedEntry: feedEntrySchema,
  Injection: injectionSchema,
  InjectionList: injectionListSchema,
  Lease: leaseSchema,
  LeaseList: leaseListSchema,
  Partition: partitionSchema,
  PartitionList: partitionListSchema,
  Problem: problemSchema,
  Proxy: proxySchema,
  ProxyList: proxyListSchema,
  Recovery: recoverySchema,
  Scenario: scenarioViewSchema,
  ScenarioList: scenarioListSchema,
  Status: statusSchema,
  StatusAfterEnd: statusAfterEndSchema,
  Stressor: stressorSchema,
  StressorList: stressorListSchema,
  StressorType: stressorTypeSchema,
  StressorTypeList: stressorTypeListSchema,
} satisfies Partial<Record<ComponentName, TSchema>>

/** All of them, by name; those of each type of fault and of stressor, too. */
export function componentSchemas(): Readonly<Record<string, JsonSchema>> {
  const names = new Map(
    Object.entries(answerSchemas).map(([name, schema]) => [schema as object, name as ComponentName]),
  )
  const replace = (schema: object): JsonSchema | undefined => {
    const name = names.get(schema)
    return name && reference(name)
  }
  const matches = matchSchemas()
  const views = describeFaultTypes((schema) => {
    const name = matches.get(schema)
    return name === undefined ? undefined : { $ref: `#/components/schemas/${name}` }
  })
  const stressors = describeStressorTypes()
  const types = [...new Set(views.map(({ type }) => type))]
  const ofType = (type: string): FaultTypeView[] => views.filter((view) => view.type === type)
  return {
    ...mapValues(inputs, (schema) => toJsonSchema(schema, { isInput: true })),
    ...mapValues<TSchema>(answerSchemas, (schema) => toJsonSchema(schema, { isInput: false, replace })),
    ProxySpec: proxySpec(),
    Proxy: proxyView(replace),
    FaultSpec: choiceByType('What goes wrong.', types, faultSpecName),
    NetworkFaultSpec: networkFaultSpec(),
    ...Object.fromEntries(types.map((type) => [faultSpecName(type), faultSpecOf(ofType(type))])),
    StressorSpec: choiceByType(
      'What is pressed.',
      stressors.map(({ type }) => type),
      stressorSpecName,
    ),
    ...Object.fromEntries(stressors.map((view) => [stressorSpecName(view.type), stressorSpecOf(view)])),
    ...Object.fromEntries([...matches].map(([schema, name]) => [name, toJsonSchema(schema, { isInput: true })])),
    ExperimentReport: { type: 'string', description: 'A report of a run.' },
    EventStream: { type: 'string', description: 'Server-sent events: `data` of each is an entry of the feed.' },
    InjectionLines: { type: 'string', description: 'An injection a line.' },
    OpenApiDocument: { type: 'object', additionalProperties: true, description: 'This document.' },
  }
}

function mapValues<Value>(
  object: Readonly<Record<string, Value>>,
  change: (value: Value) => JsonSchema,
): Record<string, JsonSchema> {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name, change(value)]))
}

// ---- faults --------------------------------------------------------------------------------------------------------

/** `http_abort` is HttpAbortFaultSpec. */
function faultSpecName(type: string): string {
  return `${capitalised(type)}FaultSpec`
}

/** `disk-fill` is DiskFillStressorSpec. */
function stressorSpecName(type: string): string {
  return `${capitalised(type)}StressorSpec`
}

function capitalised(type: string): string {
  const words = type.split(/[_-]/).map((word) => word.charAt(0).toUpperCase() + word.slice(1))
  return words.join('')
}

function choiceByType(describe: string, types: readonly string[], nameOf: (type: string) => string): JsonSchema {
  const mapping = Object.fromEntries(types.map((type) => [type, `#/components/schemas/${nameOf(type)}`]))
  return {
    description: `${describe} Fields that are not there are refused.`,
    oneOf: types.map((type) => ({ $ref: mapping[type] })),
    discriminator: { propertyName: 'type', mapping },
  }
}

/** A type that proxies over TCP and over UDP have is one of either. */
function faultSpecOf(views: readonly FaultTypeView[]): JsonSchema {
  const schema = toJsonSchema(faultSpecSchema, { isInput: true })
  const { type, layer, match } = views[0] as FaultTypeView
  const attributes = views.map((view) => view.attributes)
  const needsAttributes = views.every((view) => view.attributes['required'] !== undefined)
  return {
    ...schema,
    description: [...new Set(views.map(({ describe }) => describe))].join(' '),
    properties: {
      ...(schema['properties'] as JsonSchema),
      type: { type: 'string', enum: [type], description: `A fault of the layer ${layer}.` },
      attributes: attributes.length === 1 ? attributes[0] : { anyOf: attributes },
      // That of a connection over either transport.
      match,
    },
    required: needsAttributes ? ['type', 'attributes'] : ['type'],
  }
}

function networkFaultSpec(): JsonSchema {
  return {
    description: 'A fault, and the proxy that it is for.',
    allOf: [
      reference('FaultSpec'),
      {
        type: 'object',
        properties: { proxy: { type: 'string', description: 'The name of a proxy.' } },
        required: ['proxy'],
      },
    ],
  }
}

// ---- proxies -------------------------------------------------------------------------------------------------------

/** The options of all protocols: a proxy takes those of its own. */
function optionSchemas(isInput: boolean): Record<string, JsonSchema> {
  const options: Record<string, JsonSchema> = {}
  for (const [protocol, { options: fields }] of Object.entries(protocols)) {
    for (const [name, field] of Object.entries(fields)) {
      if (!isInput && field['writeOnly'] === true) continue
      const schema = toJsonSchema(field, { isInput })
      options[name] = { ...schema, description: `With protocol ${protocol}. ${field.description ?? ''}`.trim() }
    }
  }
  return options
}

function proxySpec(): JsonSchema {
  const schema = toJsonSchema(proxySpecSchema, { isInput: true })
  const faults = { type: 'array', items: reference('FaultSpec'), description: 'In place before the first connection.' }
  const properties = { ...(schema['properties'] as JsonSchema), ...optionSchemas(true), faults }
  return { ...schema, description: 'A proxy to be created. Fields that are not there are refused.', properties }
}

function proxyView(replace: (schema: object) => JsonSchema | undefined): JsonSchema {
  const schema = toJsonSchema(proxySchema, { isInput: false, replace })
  return { ...schema, properties: { ...(schema['properties'] as JsonSchema), ...optionSchemas(false) } }
}
