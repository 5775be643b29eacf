// docs/reference/configuration.md: every field of faultline.yaml.
import { fieldsTable } from './fields.mjs'
import { block, code, GENERATED, page } from './markdown.mjs'

const EXAMPLE = `# yaml-language-server: $schema=./node_modules/faultline/faultline.schema.json
seed: 7
admin:
  listen: 127.0.0.1:8474
proxies:
  payments:
    listen: 127.0.0.1:18081
    upstream: 127.0.0.1:18080
    protocol: http
    faults:
      - { type: http_abort, probability: 0.05, attributes: { status: 503 } }`

export async function configurationPage(load) {
  const [{ describeType }, config, { protocols, protocolNames }] = await Promise.all([
    load('cli/fault-reference'),
    load('admin/config/schema'),
    load('proxy/protocols/registry'),
  ])
  const options = new Set(protocolNames.flatMap((name) => Object.keys(protocols[name].options)))
  const common = Object.entries(config.proxyFieldsSchema.properties).filter(([name]) => !options.has(name))
  return page(
    '# Reference: configuration',
    GENERATED,
    'A file in YAML or JSON, for `faultline serve --config FILE`. `faultline validate FILE` checks it without starting ' +
      'anything, and says line and column of what is wrong. A field that is not here is an error. `${NAME}` and ' +
      '`${NAME:-default}` are taken from the environment. Times in fields that end in `Ms` are in milliseconds.',
    block('yaml', EXAMPLE),
    '## The file',
    fieldsTable(config.configSchema, describeType, 'field'),
    '## admin',
    'The server itself. Changes take hold when it is started again.',
    fieldsTable(config.adminSettingsSchema, describeType, 'field'),
    '## proxies',
    'Each by its name, which is its key. Changes take hold while the server runs; connections of other proxies go on.',
    fieldsTable(
      { properties: Object.fromEntries(common), required: config.proxyFieldsSchema.required },
      describeType,
      'field',
    ),
    protocolNames.flatMap((name) => {
      const properties = protocols[name].options
      if (Object.keys(properties).length === 0) return []
      return [`### Options of ${code(name)}`, ...fieldsTable({ properties }, describeType, 'field')]
    }),
    '## faults',
    'A list of [faults](faults.md), in place before the first connection.',
  )
}
