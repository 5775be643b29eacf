// docs/reference/api.md: every operation of /v1, from the OpenAPI document of a server that runs for the occasion.
import { code, GENERATED, page, prose, table } from './markdown.mjs'

const METHODS = ['get', 'post', 'put', 'patch', 'delete']

export async function apiPage(load) {
  const { startAdminServer } = await load('admin/index')
  const server = await startAdminServer({ port: 0 })
  try {
    const answer = await fetch(`${server.url}/v1/openapi.json`)
    return apiPageOf(await answer.json())
  } finally {
    await server.close()
  }
}

function apiPageOf({ paths, tags }) {
  const operations = Object.entries(paths).flatMap(([path, item]) =>
    METHODS.filter((method) => method in item).map((method) => ({ path, method, ...item[method] })),
  )
  return page(
    '# Reference: API',
    GENERATED,
    'The server describes itself at `/v1/openapi.json`, with all schemas. Errors are problem documents (RFC 9457) with a ' +
      'stable `code`, the `field` that is wrong and what was `expected`; then nothing has been changed. Beside these ' +
      "there are Toxiproxy's API at the root ([what is different](../migration-from-toxiproxy.md)), `GET /healthz` and " +
      '`GET /metrics`.',
    tags.flatMap(({ name, description }) => [
      `## ${name}`,
      prose(description),
      ...table(['method', 'path', 'what it does', 'query', 'body', 'answers'], rowsOf(operations, name)),
    ]),
  )
}

function rowsOf(operations, tag) {
  return operations
    .filter(({ tags }) => tags.includes(tag))
    .map(({ method, path, summary, parameters = [], requestBody, responses }) => [
      method.toUpperCase(),
      code(path),
      prose(summary),
      parameters
        .filter((parameter) => parameter.in === 'query')
        .map(({ name }) => code(name))
        .join(', '),
      bodyName(requestBody),
      Object.keys(responses)
        .filter((status) => status !== 'default')
        .join(', '),
    ])
}

/** Of the schema that the body has. */
function bodyName(requestBody) {
  const name = requestBody?.content?.['application/json']?.schema?.$ref?.split('/').at(-1)
  return name === undefined ? '' : code(name)
}
