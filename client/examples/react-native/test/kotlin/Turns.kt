// The jitter buffer, played by hand: no phone is needed for that part.
package dev.vivavoce.audio

private const val MS = PLAYED_HZ / 1000

/** A loudspeaker that holds nothing back, unless `unheard` is set. */
private class Rig : PlayerEvents {
  val told = mutableListOf<String>()
  val queue = TurnQueue(this)
  var unheard = 0

  override fun played(turn: Int, state: String, playedMs: Double, bufferedMs: Double) {
    told += "$turn $state ${playedMs.toInt()} ${bufferedMs.toInt()}"
  }

  override fun underrun(turn: Int, prebufferMs: Double) {
    told += "$turn dry ${prebufferMs.toInt()}"
  }

  override fun level(output: Double) = Unit

  fun sound(turn: Int, ms: Int) = queue.play(turn, ByteArray(2 * ms * MS) { 1 })

  /** Returns how many ms of it were sound. */
  fun pass(ms: Int): Int = (1..ms / 10).sumOf {
    val chunk = ShortArray(10 * MS)
    queue.render(chunk, unheard)
    chunk.count { it != 0.toShort() }
  } / MS
}

private fun expect(name: String, got: Any?, want: Any?) {
  check(got == want) { "$name: $got, not $want" }
  println("ok $name")
}

fun main() {
  Rig().run {
    sound(1, 60)
    expect("a turn waits for its buffer", pass(20), 0)
    sound(1, 40)
    expect("and then plays", pass(50), 50)
    queue.finish(1)
    expect("to its end", pass(100), 50)
    expect("which is told once", told, listOf("1 started 0 100", "1 drained 100 0"))
  }
  Rig().run {
    sound(1, 100)
    expect("a buffer that runs dry", pass(150), 100)
    expect("is told, and waits longer", told.drop(1), listOf("1 dry 120", "1 progress 100 0"))
    sound(1, 100)
    expect("until there is more", pass(50), 0)
    sound(1, 20)
    expect("as it said", pass(200), 120)
  }
  Rig().run {
    sound(1, 300)
    sound(2, 100)
    unheard = 40 * MS
    pass(120)
    expect("a flush drops what is in the device", queue.flush(1, unheard), Flushed(80.0, 220.0))
    unheard = 0
    sound(1, 100)
    expect("late audio of that turn is not played, the next turn is", pass(300), 100)
  }
  Rig().run {
    sound(1, 100)
    queue.finish(1)
    unheard = 30 * MS
    pass(120)
    expect("a turn whose sound is in the device is not over", told.any { "drained" in it }, false)
    pass(20)
    expect("until it was heard", told.last(), "1 drained 100 0")
  }
}
