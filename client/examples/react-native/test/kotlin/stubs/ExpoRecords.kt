package expo.modules.kotlin.records

@Target(AnnotationTarget.PROPERTY)
annotation class Field(val key: String = "")

interface Record
