// The code under test: saves a note, and tries again as long as the database says that it may work the next time.
const { Client } = require('pg')

const SERIALIZATION_FAILURE = '40001'
const ATTEMPTS = 5

async function save(databaseUrl, text) {
  const client = new Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    for (let attempt = 1; ; attempt++) {
      try {
        return await client.query('INSERT INTO faultline_example_notes (text) VALUES ($1)', [text])
      } catch (error) {
        if (error.code !== SERIALIZATION_FAILURE || attempt === ATTEMPTS) throw error
      }
    }
  } finally {
    await client.end()
  }
}

module.exports = { save }
