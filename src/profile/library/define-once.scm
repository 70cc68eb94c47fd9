;; Define unless bound.
(macro (define-once form)
  (let ((name (if (pair? (cadr form)) (car (cadr form)) (cadr form))))
    `(if (not (defined? ',name)) (eval '(define ,@(cdr form)) (interaction-environment)))))
