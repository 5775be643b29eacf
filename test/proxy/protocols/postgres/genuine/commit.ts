// Commits that fail with 23503: the parent of the new child is missing, which is looked at only then.
import { bind, describe, execute, parse, sync } from '../../../../support/postgres-frontend.ts'
import { createFamily, type Situation } from './situation.ts'

const INSERT = 'INSERT INTO children VALUES (7)'
const COUNT = 'SELECT count(*) FROM children'

/** Query: one INSERT, so that the commit is an implicit one. */
export const implicitCommitSimple: Situation = async (client, direct, failure) => {
  await createFamily(direct, failure)
  client.forget()
  await client.query(INSERT)
  await client.query(COUNT)
  return client.messages
}

/** One Query of two INSERTs. */
export const implicitCommitSimpleMulti: Situation = async (client, direct, failure) => {
  await createFamily(direct, failure)
  client.forget()
  await client.query(`${INSERT}; ${INSERT}`)
  await client.query(COUNT)
  return client.messages
}

/** Parse, Bind, Describe, Execute, Sync: fails at Sync. */
export const implicitCommitExtended: Situation = async (client, direct, failure) => {
  await createFamily(direct, failure)
  client.forget()
  await client.ask([parse(INSERT), bind(), describe(), execute(), sync()])
  await client.query(COUNT)
  return client.messages
}

/** A pipeline of two INSERTs with one Sync. */
export const implicitCommitPipeline: Situation = async (client, direct, failure) => {
  await createFamily(direct, failure)
  client.forget()
  await client.ask([parse(INSERT), bind(), execute(), bind(), execute(), sync()])
  await client.query(COUNT)
  return client.messages
}

/** Query: BEGIN, INSERT, COMMIT. */
export const commitSimple: Situation = async (client, direct, failure) => {
  await createFamily(direct, failure)
  client.forget()
  await client.query('BEGIN')
  await client.query(INSERT)
  await client.query('COMMIT')
  await client.query(COUNT)
  return client.messages
}

/** One Query: BEGIN, INSERT, COMMIT, SELECT. */
export const commitSimpleMulti: Situation = async (client, direct, failure) => {
  await createFamily(direct, failure)
  client.forget()
  await client.query(`BEGIN; ${INSERT}; COMMIT; SELECT 1`)
  await client.query(COUNT)
  return client.messages
}

/** Parse, Bind, Describe, Execute, Sync, each for BEGIN, INSERT and COMMIT. */
export const commitExtended: Situation = async (client, direct, failure) => {
  await createFamily(direct, failure)
  client.forget()
  for (const sql of ['BEGIN', INSERT, 'COMMIT']) {
    await client.ask([parse(sql), bind(), describe(), execute(), sync()])
  }
  await client.query(COUNT)
  return client.messages
}

/** A pipeline with one Sync: BEGIN, INSERT, COMMIT, SELECT. */
export const commitPipeline: Situation = async (client, direct, failure) => {
  await createFamily(direct, failure)
  client.forget()
  const steps = ['BEGIN', INSERT, 'COMMIT', 'SELECT 1'].flatMap((sql) => [parse(sql), bind(), execute()])
  await client.ask([...steps, sync()])
  await client.query(COUNT)
  return client.messages
}

/** Prepared COMMIT: used, fails, and is used again. */
export const commitPrepared: Situation = async (client, direct, failure) => {
  await createFamily(direct, failure)
  await client.ask([parse('COMMIT', 'commit'), sync()])
  client.forget()
  await client.query('BEGIN')
  await client.query(INSERT)
  await client.ask([bind([], 'commit'), execute(), sync()])
  await client.query('BEGIN')
  await client.ask([bind([], 'commit'), execute(), sync()])
  await client.query(COUNT)
  return client.messages
}
