(macro (with-operations form)
  `(begin (%%enter (lambda () ,(cadr form))) (let () ,@(cddr form)) (%%leave)))
