// Every way to get a command line wrong: exit code 2, what was wrong and what was expected on stderr, nothing on
// stdout, and no server hears of it.
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { inProcess } from './support.ts'

let server: Server
let url: string
let requests = 0

beforeAll(async () => {
  server = createServer((_request, response) => {
    requests++
    response.end('{}')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => {
  server.close()
  if (requests > 0) throw new Error(`the server was asked ${requests} times`)
})

const create = ['create', 'x', '-l', 'a:1', '-u', 'b:1']
const add = ['toxic', 'add', 'x', '-t', 'latency']
const addFault = ['fault', 'add', 'x', 'latency']
const update = ['toxic', 'update', 'x', '-n', 'y']

const cases: readonly (readonly [args: readonly string[], message: string | RegExp])[] = [
  // commands
  [[], 'missing a command'],
  [['--json'], 'missing a command'],
  [['lst'], 'unknown command "lst" (did you mean "list"?), expected one of serve, demo, validate, '],
  [['toxic'], 'toxic: missing a command, expected one of toxic add, toxic update, toxic remove'],
  [['toxic', 'ad', 'x'], 'unknown command "toxic ad" (did you mean "toxic add"?), expected one of toxic add, '],
  [['help', 'lst'], 'unknown command "lst" (did you mean "list"?)'],
  [['--frob'], 'unknown flag --frob, expected a command'],
  [['--host', 'x', '--help'], 'unknown flag --help, expected a command'],
  [['proxy\u001b[2J'], 'unknown command "proxy\\u001b[2J"'],
  [['proxy'], 'proxy: missing a command, expected one of proxy list, proxy show, '],
  [['fault', 'ad'], 'unknown command "fault ad" (did you mean "fault add"?), expected one of fault list, fault add, '],
  [['help', 'complet'], 'unknown command "complet", expected one of serve, '],
  // flags
  [
    ['list', '--jsn'],
    'unknown flag --jsn (did you mean "--json"?), expected one of --host, --json, --token-file, --help',
  ],
  [['list', '-x'], 'unknown flag -x, expected one of '],
  [['list', '--constructor'], 'unknown flag --constructor, expected one of '],
  [['list', '--host'], '--host: missing its value, expected URL'],
  [
    ['list', '--host', '--json'],
    '--host: expected URL, got the flag --json (a value like that is written --host=--json)',
  ],
  [['list', '--json=maybe'], '--json: expected true or false, got "maybe"'],
  [['list', '--host', 'ftp://x'], '--host: expected an http:// or https:// URL, got "ftp://x"'],
  [['list', '--host', 'http://x:99999'], '--host: expected an http:// or https:// URL, got "http://x:99999"'],
  [['list', '--host='], '--host: expected an http:// or https:// URL, got ""'],
  // arguments
  [['list', 'x'], 'unexpected argument "x", expected none'],
  [['inspect'], 'NAME: missing, expected the name of the proxy'],
  [['inspect', ''], 'NAME: missing, expected the name of the proxy'],
  [['inspect', 'x', 'y'], 'unexpected argument "y", expected NAME'],
  [['toggle'], 'NAME: missing'],
  [['delete'], 'NAME: missing'],
  [['create', '-l', 'a:1', '-u', 'b:1'], 'NAME: missing, expected the name of the new proxy'],
  [['toxic', 'add', '-t', 'latency'], 'PROXY: missing, expected the name of the proxy'],
  [['toxic', 'update', '-n', 'x'], 'PROXY: missing'],
  [['toxic', 'remove', '-n', 'x'], 'PROXY: missing'],
  // create
  [['create', 'x', '-u', 'b:1'], '--listen: missing, expected host:port'],
  [['create', 'x', '-l', 'a:1'], '--upstream: missing, expected host:port'],
  [[...create, '-l', '5432'], '--listen: expected host:port with a port from 0 to 65535, got "5432"'],
  [[...create, '-u', 'db:65536'], '--upstream: expected host:port with a port from 0 to 65535, got "db:65536"'],
  // toxics
  [['toxic', 'add', 'x'], '--type: missing, expected a non-empty text'],
  [[...add, '-a', 'latency'], '--attribute: expected NAME=VALUE, got "latency"'],
  [[...add, '-a', '=5'], '--attribute: expected NAME=VALUE, got "=5"'],
  [
    [...add, '-a', 'latncy=5'],
    '--attribute latncy: unknown field (did you mean "latency"?), expected one of latency, ',
  ],
  [[...add, '-a', 'latency=soon'], '--attribute latency: expected an integer ≥ 0, got "soon"'],
  [[...add, '-a', 'latency=1.5'], '--attribute latency: expected an integer ≥ 0, got 1.5'],
  [[...add, '-a', 'latency=-5'], '--attribute latency: expected an integer ≥ 0, got -5'],
  [[...add, '-a', 'latency=true'], '--attribute latency: expected an integer ≥ 0, got true'],
  [[...add, '-a', 'latency='], '--attribute latency: expected an integer ≥ 0, got ""'],
  [[...add, '-a', 'latency=0x10'], '--attribute latency: expected an integer ≥ 0, got "0x10"'],
  [[...add, '--toxicity', '1.1'], '--toxicity: expected a number from 0 to 1, got "1.1"'],
  [[...add, '--toxicity', '-1'], '--toxicity: expected a number from 0 to 1, got "-1"'],
  [[...add, '--toxicity', 'all'], '--toxicity: expected a number from 0 to 1, got "all"'],
  [[...add, '--toxicity', ''], '--toxicity: expected a number from 0 to 1, got ""'],
  [[...add, '-u', '-d'], '--upstream and --downstream: expected one of them, got both'],
  [[...add, '-n', ''], '--name: expected a non-empty text, got ""'],
  [update, 'nothing to change: expected --attribute or --toxicity'],
  [['toxic', 'update', 'x', '-a', 'latency=1'], '--name: missing, expected a non-empty text'],
  [[...update, '-a', 'latency'], '--attribute: expected NAME=VALUE, got "latency"'],
  [[...update, '--toxicity', '7'], '--toxicity: expected a number from 0 to 1, got "7"'],
  [['toxic', 'remove', 'x'], '--name: missing, expected a non-empty text'],
  // our own API
  [['proxy', 'add', 'x'], '--upstream: missing, expected host:port'],
  [['proxy', 'add', '-u', 'b:1'], 'NAME: missing, expected the name of the new proxy'],
  [
    ['proxy', 'add', 'x', '-u', 'b:1', '--protocol', 'htp'],
    '--protocol: expected one of tcp, http, postgres, udp, got "htp"',
  ],
  [['proxy', 'add', 'x', '-u', 'b:1', 'strict'], 'OPTION=VALUE: expected NAME=VALUE, got "strict"'],
  [['proxy', 'show'], 'NAME: missing, expected the name of the proxy'],
  [['proxy', 'rm', 'x', 'y'], 'unexpected argument "y", expected NAME'],
  [['proxy', 'enable'], 'NAME: missing'],
  [['fault', 'add', 'x'], 'TYPE: missing, expected what goes wrong: a type that "faultline faults" lists'],
  [[...addFault, 'latency'], 'NAME=VALUE: expected NAME=VALUE, got "latency"'],
  [[...addFault, '=5'], 'NAME=VALUE: expected NAME=VALUE, got "=5"'],
  [[...addFault, '--direction', 'up'], '--direction: expected one of upstream, downstream, both, got "up"'],
  [[...addFault, '--probability', '2'], '--probability: expected a number from 0 to 1, got "2"'],
  [[...addFault, '--ttl', '30'], '--ttl: expected a time such as 500ms, 30s, 5m or 1h, got "30"'],
  [[...addFault, '--ttl', '0s'], '--ttl: expected a time such as 500ms, 30s, 5m or 1h, got "0s"'],
  [[...addFault, '--times', '0'], '--times: expected an integer from 1 to 9007199254740991, got "0"'],
  [[...addFault, '--skip', '-1'], '--skip: expected an integer from 0 to 9007199254740991, got "-1"'],
  [[...addFault, '--match', 'method'], '--match: expected NAME=VALUE, or an object in JSON, got "method"'],
  [[...addFault, '--attributes', '{"a":'], '--attributes: expected NAME=VALUE, or an object in JSON, got "{'],
  [['fault', 'set', 'x', 'y'], 'nothing to change: expected NAME=VALUE or a flag such as --probability'],
  [['fault', 'set', 'x', 'y', '--enable', '--disable'], '--enable and --disable: expected one of them, got both'],
  [['fault', 'set', 'x'], 'FAULT: missing, expected the name of the fault'],
  [['fault', 'rm', 'x'], 'FAULT: missing, expected the name of the fault'],
  [['faults', 'latncy'], 'TYPE: unknown fault "latncy" (did you mean "latency"?), expected one of latency, '],
  [['partition', 'add'], 'GROUPS: expected two or more groups of services with a slash between them'],
  [['partition', 'add', 'a,b'], 'GROUPS: expected two or more groups'],
  [['partition', 'add', 'a', '/'], 'GROUPS: expected two or more groups'],
  [['partition', 'add', 'a', '/', 'b', '-m', 'loose'], '--mode: expected one of drop, reject, got "loose"'],
  [['partition', 'heal'], 'NAME: missing, expected the name of the partition'],
  [['heal', 'x'], 'unexpected argument "x", expected none'],
  [['watch', '--since', '-1'], '--since: expected an integer from 0 to 9007199254740991, got "-1"'],
  [['watch', '--types', 'a,,b'], '--types: expected types of events, separated by commas, got "a,,b"'],
  [['healthcheck', '--timeout', 'soon'], '--timeout: expected a time such as 500ms, 30s, 5m or 1h, got "soon"'],
  [['completion'], 'SHELL: missing, expected one of bash, zsh, fish'],
  [['completion', 'csh'], 'SHELL: expected one of bash, zsh, fish, got "csh"'],
  [['heal', '--token-file', '/nowhere'], '--token-file: expected a file that can be read: ENOENT'],
  [
    ['list', '--token-file', import.meta.filename],
    '--token-file: expected a line of visible ASCII characters without spaces in ',
  ],
  // serve and demo
  [['serve', '-port', '65536'], '--port: expected an integer from 0 to 65535, got "65536"'],
  [['serve', '-port', '-1'], '--port: expected an integer from 0 to 65535, got "-1"'],
  [['serve', '-port', '80a'], '--port: expected an integer from 0 to 65535, got "80a"'],
  [['serve', '-port='], '--port: expected an integer from 0 to 65535, got ""'],
  [['serve', '-seed', '1.5'], '--seed: expected an integer from -9007199254740991 to 9007199254740991, got "1.5"'],
  [['serve', '-seed', '9007199254740993'], '--seed: expected an integer from '],
  [['serve', '-host', '127.0.0.1:80'], '--host: expected a host name or an IP address, without a port, got '],
  [['serve', '-host', ''], '--host: expected a host name or an IP address'],
  [['serve', '-config', ''], '--config: expected a non-empty text, got ""'],
  [['serve', '-proxy-metrics=perhaps'], '--proxy-metrics: expected true or false, got "perhaps"'],
  [['serve', '-prot', '1'], 'unknown flag --prot (did you mean "--port"?), expected one of --host, --port, '],
  [['serve', '8474'], 'unexpected argument "8474", expected none'],
  [['demo', '--port', 'x'], '--port: expected an integer from 0 to 65535, got "x"'],
  [['demo', '--proxy-port', 'x'], '--proxy-port: expected an integer from 0 to 65535, got "x"'],
]

describe('a usage error', () => {
  test.each(cases)('%j', async (args, message) => {
    const { code, stdout, stderr } = await inProcess(args, { FAULTLINE_URL: url })
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/^faultline: .*\nSee: faultline help.*\n$/)
    expect(stderr).toContain(message)
  })

  test.each(['FAULTLINE_URL', 'TOXIPROXY_URL'])('of %s names it', async (variable) => {
    const { code, stdout, stderr } = await inProcess(['list'], { [variable]: 'ftp://x' })
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(`${variable}: expected an http:// or https:// URL, got "ftp://x"`)
  })
})
