;; The rules inside go to a list of their own.
(macro (apply-message-filter form)
  `(begin (%%begin-message-filter) (%%end-message-filter (list ,@(cdr form)))))
