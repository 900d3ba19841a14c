@file:Suppress("FunctionName", "UNUSED_PARAMETER")

package expo.modules.kotlin.modules

import android.content.Context
import expo.modules.interfaces.permissions.Permissions
import expo.modules.kotlin.Promise

class AppContext {
  val reactContext: Context? = null
  val permissions: Permissions? = null
}

class ModuleDefinitionData

abstract class Module {
  val appContext = AppContext()
  fun sendEvent(name: String, body: Map<String, Any?>) {}
  abstract fun definition(): ModuleDefinitionData
}

inline fun Module.ModuleDefinition(crossinline block: ModuleDefinitionBuilder.() -> Unit): ModuleDefinitionData {
  ModuleDefinitionBuilder().block()
  return ModuleDefinitionData()
}

class ModuleDefinitionBuilder {
  fun Name(name: String) {}
  fun Events(vararg events: String) {}
  inline fun OnDestroy(crossinline body: () -> Unit) {}
  inline fun OnActivityEntersForeground(crossinline body: () -> Unit) {}
  inline fun <reified R, reified P0> Function(name: String, crossinline body: (p0: P0) -> R) {}
  inline fun <reified R, reified P0, reified P1> Function(name: String, crossinline body: (p0: P0, p1: P1) -> R) {}
  @JvmName("AsyncFunctionWithoutArgs")
  inline fun AsyncFunction(name: String, crossinline body: () -> Any?) {}
  inline fun <reified R, reified P0> AsyncFunction(name: String, crossinline body: (p0: P0) -> R) {}
  @JvmName("AsyncFunctionWithPromise")
  inline fun <reified R, reified P0> AsyncFunction(name: String, crossinline body: (p0: P0, p1: Promise) -> R) {}
}
