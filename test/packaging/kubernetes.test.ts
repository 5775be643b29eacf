// examples/kubernetes without a cluster: the files have the types of Kubernetes' API, what they name is there, and nothing
// in them has rights that it does not need.
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import type { Deployment } from 'kubernetes-types/apps/v1.d.ts'
import type { ConfigMap, Container, Service } from 'kubernetes-types/core/v1.d.ts'
import { describe, expect, test } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { inProcess, ROOT } from '../cli/support.ts'
import { readImage } from './dockerfile.ts'

const FOLDER = join(ROOT, 'examples', 'kubernetes')

interface Manifest {
  readonly deployment: Deployment
  readonly config: ConfigMap
  readonly service: Service
}

function read(file: string): Manifest {
  const objects = parseAllDocuments(readFileSync(join(FOLDER, file), 'utf8'), { strict: true }).map((document) => {
    expect(document.errors).toEqual([])
    return document.toJS() as { kind: string }
  })
  const kinds = objects.map(({ kind }) => kind)
  expect(kinds).toEqual(['ConfigMap', 'Deployment', 'Service'])
  const [config, deployment, service] = objects
  return { config, deployment, service } as unknown as Manifest
}

const files = ['standalone.yaml', 'sidecar.yaml']
const manifests = files.map((file) => [file, read(file)] as const)

/** Those that go on, and those that end before them. */
function containersOf({ deployment }: Manifest): Container[] {
  const pod = deployment.spec!.template.spec!
  return [...(pod.initContainers ?? []), ...pod.containers]
}

function faultlineOf(manifest: Manifest): Container {
  return containersOf(manifest).find(({ name }) => name === 'faultline')!
}

interface Config {
  readonly admin: { readonly listen: string }
  readonly proxies: Readonly<Record<string, { readonly listen: string; readonly upstream: string }>>
}

function configOf({ config }: Manifest): Config {
  return parse(config.data!['faultline.yaml']!) as Config
}

// ---- types ---------------------------------------------------------------------------------------------------------

/** What the compiler says of objects that are to have these types; it knows every field of the API. */
async function typeErrors(objects: readonly (readonly [type: string, value: object])[]): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'faultline-kubernetes-'))
  const packages = dirname(dirname(createRequire(import.meta.url).resolve('kubernetes-types/package.json')))
  symlinkSync(packages, join(folder, 'node_modules'))
  const values = objects.map(
    ([type, value], index) => `export const value${index} = ${JSON.stringify(value)} satisfies ${type}\n`,
  )
  writeFileSync(
    join(folder, 'manifest.ts'),
    `import type { Deployment } from 'kubernetes-types/apps/v1.d.ts'
import type { ConfigMap, Service } from 'kubernetes-types/core/v1.d.ts'
${values.join('')}`,
  )
  const compiler = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc')
  const options = [
    '--noEmit',
    '--strict',
    '--skipLibCheck',
    '--target',
    'es2022',
    '--module',
    'nodenext',
    '--types',
    '',
  ]
  try {
    await promisify(execFile)(process.execPath, [compiler, ...options, 'manifest.ts'], { cwd: folder })
    return ''
  } catch (error) {
    return (error as { stdout: string }).stdout
  } finally {
    rmSync(folder, { recursive: true })
  }
}

test('all objects have the types of the API', async () => {
  const objects = manifests.flatMap(([, { deployment, config, service }]) => [
    ['Deployment', deployment] as const,
    ['ConfigMap', config] as const,
    ['Service', service] as const,
  ])
  expect(await typeErrors(objects)).toBe('')
})

test('a field that there is not, and a value that it does not take, are seen', async () => {
  const [field, value] = [0, 1].map(() => structuredClone(manifests[0]![1].deployment)) as [any, any]
  field.spec.template.spec.containers[0].livenesProbe = {}
  value.spec.template.spec.containers[0].ports[0].containerPort = '80'
  const errors = await typeErrors([
    ['Deployment', field],
    ['Deployment', value],
  ])
  expect(errors).toMatch(/livenesProbe.* does not exist/)
  expect(errors).toContain("'string' is not assignable to type 'number'")
})

// ---- rights and limits ---------------------------------------------------------------------------------------------

/** Of memory and cores (Kubernetes documentation, Quantity), in the forms that are used here. */
const QUANTITY = /^\d+(?:m|Mi)?$/

describe.each(manifests)('%s', (_file, manifest) => {
  const containers = containersOf(manifest)

  test.each(containers.map((container) => [container.name, container] as const))(
    'container %s has no rights but what it needs, and takes what it may',
    (name, { securityContext, resources }) => {
      const pod = manifest.deployment.spec!.template.spec!.securityContext
      expect(securityContext).toMatchObject({ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true })
      const setsRules = name === 'redirect'
      expect(securityContext?.capabilities).toEqual({ drop: ['ALL'], ...(setsRules && { add: ['NET_ADMIN'] }) })
      expect({ ...pod, ...securityContext }.runAsNonRoot === true).toBe(!setsRules)
      expect(resources?.requests).toMatchObject({
        cpu: expect.stringMatching(QUANTITY) as string,
        memory: expect.stringMatching(QUANTITY) as string,
      })
      expect(resources?.limits?.['memory']).toMatch(QUANTITY)
    },
  )

  test('Faultline runs as the user of its image, is watched, and reads its configuration', () => {
    const pod = manifest.deployment.spec!.template.spec!
    const faultline = faultlineOf(manifest)
    const { runAsUser, runAsGroup } = { ...pod.securityContext, ...faultline.securityContext }
    expect({ uid: runAsUser, gid: runAsGroup }).toEqual(readImage().user)
    expect(faultline.startupProbe).toBeDefined()
    expect(faultline.livenessProbe).toBeDefined()
    const [volume] = pod.volumes!
    expect(faultline.volumeMounts).toEqual([expect.objectContaining({ name: volume?.name, readOnly: true })])
    expect(volume?.configMap?.name).toBe(manifest.config.metadata?.name)
    expect(faultline.args).toEqual(['serve', '--config', `${faultline.volumeMounts![0]!.mountPath}/faultline.yaml`])
  })

  test('its configuration is valid', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'faultline-kubernetes-'))
    const file = join(folder, 'faultline.yaml')
    writeFileSync(file, manifest.config.data!['faultline.yaml']!)
    expect(await inProcess(['validate', file])).toMatchObject({
      code: 0,
      stdout: `${file} is valid: 1 proxy, 1 fault\n`,
    })
    rmSync(folder, { recursive: true })
  })

  test('its service leads to ports that its pods have', () => {
    const { deployment, service } = manifest
    expect(deployment.spec?.template.metadata?.labels).toEqual(deployment.spec?.selector.matchLabels)
    expect(service.spec?.selector).toEqual(deployment.spec?.selector.matchLabels)
    const ports = containers.flatMap(({ ports = [] }) => ports.map(({ name }) => name))
    for (const { targetPort } of service.spec?.ports ?? []) expect(ports).toContain(targetPort)
  })
})

test('the commands of the README name files, deployments and containers that there are', () => {
  const guide = readFileSync(join(FOLDER, 'README.md'), 'utf8')
  const named = (pattern: RegExp): string[] => [...guide.matchAll(pattern)].map(([, name = '']) => name)
  expect(new Set(named(/kubectl apply -f (\S+)/g))).toEqual(new Set(files))
  const deployments = manifests.map(([, { deployment }]) => deployment.metadata!.name!)
  expect(new Set(named(/ deploy\/(\S+)/g))).toEqual(new Set(deployments))
  const containers = containersOf(manifests[1]![1]).map(({ name }) => name)
  for (const name of named(/--container (\S+)/g)) expect(containers).toContain(name)
})

test('standalone: the ports are those of the configuration, and the API wants a token', () => {
  const [, manifest] = manifests[0]!
  const faultline = faultlineOf(manifest)
  const { admin, proxies } = configOf(manifest)
  const listened = [admin.listen, proxies['orders-db']!.listen].map((listen) => Number(listen.split(':')[1]))
  expect(faultline.ports?.map(({ containerPort }) => containerPort)).toEqual(listened)
  expect(admin.listen).toMatch(/^0\.0\.0\.0:/)
  const [token] = faultline.env!
  expect(token).toMatchObject({ name: 'FAULTLINE_TOKEN', valueFrom: { secretKeyRef: { name: 'faultline' } } })
  expect(readFileSync(join(FOLDER, 'README.md'), 'utf8')).toContain(
    'kubectl create secret generic faultline --from-literal=token=',
  )
})

test('sidecar: it listens before its rules are set, inside of the pod only; they lead to its proxy, except for itself', async () => {
  const [, manifest] = manifests[1]!
  const pod = manifest.deployment.spec!.template.spec!
  expect(pod.initContainers?.map(({ name, restartPolicy }) => [name, restartPolicy])).toEqual([
    ['faultline', 'Always'],
    ['redirect', undefined],
  ])
  const { admin, proxies } = configOf(manifest)
  expect(admin.listen).toMatch(/^127\.0\.0\.1:/)
  const { listen, upstream } = proxies['orders-db']!
  const args = pod.initContainers![1]!.args!
  expect(args.slice(0, 2)).toEqual(['sidecar', 'apply'])
  const { code, stdout } = await inProcess(['sidecar', 'rules', ...args.slice(2)])
  expect(code).toBe(0)
  expect(stdout).toContain(`meta skuid ${readImage().user.uid} return`)
  expect(stdout).toContain(`tcp dport ${upstream.split(':')[1]} redirect to :${listen.split(':')[1]}\n`)
  expect(listen).toMatch(/^127\.0\.0\.1:/)
  const [app] = pod.containers
  expect(app?.env?.[0]?.value).toContain(`@${upstream}/`)
  expect(app?.securityContext?.runAsUser).not.toBe(readImage().user.uid)
})
