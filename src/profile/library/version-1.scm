(macro (debug form) #t)
